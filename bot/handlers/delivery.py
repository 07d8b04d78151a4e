"""A delivery from Slack: a slash command, a mention, or a button click. Pure."""

from dataclasses import dataclass
from typing import Literal

from bot.records import Choice


@dataclass(frozen=True)
class Delivery:
    """`id`: Slack's own, the same when it delivers twice; `text`: a command's, or a button's value; `url`: where an

    answer goes, "" for a mention; `at`: UNIX seconds; `verdict` and `message`: of a button, and where it stands.
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
