"""A delivery from Slack: a slash command, a mention, or a button click. Pure."""

from dataclasses import dataclass
from typing import Literal

from bot.records import Choice


@dataclass(frozen=True)
class Delivery:
    """What Slack delivered.

    `delivery_id`: the same if Slack delivers it twice. `text`: the command, or the button's value. `response_url`: for
    the reply, "" for a mention. `received_at`: UNIX seconds. `choice`, `message_ts`: the button's choice and message.
    `step`: the name of a button that answers no question.
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
