"""Block Kit's small change, and what every message has in common. Pure; texts come in escaped."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from bot.escape import cut

SECTION, PART, LINE = 2900, 1500, 300  # characters: of a section (3,000), of one part of a run's message, of a line
TEXT = 3500  # characters of a message's text
Block = dict[str, Any]
Refusal = Literal["", "misuse", "denied", "void", "often"]  # void: what was meant is not there, or is over


@dataclass(frozen=True)
class Message:
    """`text` says all that `blocks` show, for notifications, screen readers and old clients.

    `refusal`: of what kind, for an answer that refuses; the record keeps those.
    """

    text: str
    blocks: tuple[Block, ...]
    refusal: Refusal = ""


Answer = Callable[[Message], None]


def private(text: str, refusal: Refusal = "") -> Message:
    return Message(cut(text, TEXT), (section(text),), refusal)


def section(text: str) -> Block:
    return {"type": "section", "text": _mrkdwn(text)}


def context(text: str) -> Block:
    return {"type": "context", "elements": [_mrkdwn(text)]}


def _mrkdwn(text: str) -> Block:
    """Verbatim: Slack makes links of no address and no name that merely stand there; what is written as <...> lives."""
    return {"type": "mrkdwn", "text": cut(text, SECTION), "verbatim": True}


def rich(text: str) -> Block:
    content = {"type": "text", "text": text}
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [content]}]}


def size(shown: object) -> int:
    """Characters that people see: what Slack counts against the whole message."""
    if isinstance(shown, list):
        return sum(map(size, shown))
    if not isinstance(shown, dict):
        return 0
    own = (value for key, value in shown.items() if key in ("text", "title") and isinstance(value, str))
    return sum(map(len, own)) + sum(map(size, shown.values()))


def button(label: str, action: str, value: str, style: str) -> Block:
    button: Block = {
        "type": "button",
        "action_id": action,
        "value": value,
        "text": {"type": "plain_text", "text": label},
    }
    return {**button, "style": style} if style else button


def clock(at: float) -> str:
    """In the reader's own time zone; UTC for those who do not see it."""
    fallback = time.strftime("%H:%M:%S UTC", time.gmtime(at))
    return f"<!date^{int(at)}^{{time_secs}}|{fallback}>"


def duration(seconds: float) -> str:
    whole = max(0, round(seconds))
    return f"{whole // 60} min {whole % 60} s" if whole >= 60 else f"{whole} s"
