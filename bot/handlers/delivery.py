"""A delivery from Slack: a slash command, a mention, a submitted form, or a button click. Pure."""

from dataclasses import dataclass
from typing import Literal

from bot.records import Choice

SHOW_STEP = "show"  # of the button under a private answer; no next step of a run has this name


@dataclass(frozen=True)
class Delivery:
    """What Slack delivered.

    `delivery_id`: the same if Slack delivers it twice. `text`: the command, or the button's value. `response_url`: for
    the reply, "" for a mention. `received_at`: UNIX seconds. `message_ts`: the button's message. `choice`: the answer
    of a question's button. `step`: the name of another button's next step, or SHOW_STEP. `trigger_id`: opens a modal
    with the reply, "" where another reply reaches the user. `from_home`: the button is in the Home tab. `reason`: of a
    rejection.
    """

    kind: Literal["command", "click"]
    delivery_id: str
    user: str
    channel: str
    text: str
    response_url: str
    received_at: float
    choice: Choice | None = None
    message_ts: str = ""
    step: str = ""
    trigger_id: str = ""
    from_home: bool = False
    reason: str = ""
