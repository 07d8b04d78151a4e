"""Block Kit's small change, and what every message has in common. Pure; texts come in escaped."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from imker.text import truncate

SECTION_LIMIT, PART_LIMIT, LINE_LIMIT = (
    2900,
    1500,
    300,
)  # characters: of a section (3,000), of one part of a run's message, of a line
TEXT_LIMIT = 3500  # characters of a message's text
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


Reply = Callable[[Message], None]


def ephemeral(text: str, refusal: Refusal = "") -> Message:
    return Message(truncate(text, TEXT_LIMIT), (section(text),), refusal)


def section(text: str) -> Block:
    return {"type": "section", "text": _mrkdwn(text)}


def context(text: str) -> Block:
    return {"type": "context", "elements": [_mrkdwn(text)]}


def _mrkdwn(text: str) -> Block:
    """Verbatim: Slack makes links of no address and no name that merely stand there; what is written as <...> lives."""
    return {"type": "mrkdwn", "text": truncate(text, SECTION_LIMIT), "verbatim": True}


def rich_text(text: str) -> Block:
    content = {"type": "text", "text": text}
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [content]}]}


def visible_length(text: object) -> int:
    """Characters that people see: what Slack counts against the whole message."""
    if isinstance(text, list):
        return sum(map(visible_length, text))
    if not isinstance(text, dict):
        return 0
    texts = (value for key, value in text.items() if key in ("text", "title") and isinstance(value, str))
    return sum(map(len, texts)) + sum(map(visible_length, text.values()))


def button(label: str, action: str, value: str, style: str) -> Block:
    button: Block = {
        "type": "button",
        "action_id": action,
        "value": value,
        "text": {"type": "plain_text", "text": label},
    }
    return {**button, "style": style} if style else button


def timestamp(at: float) -> str:
    """In the reader's own time zone; UTC for those who do not see it."""
    fallback = time.strftime("%H:%M:%S UTC", time.gmtime(at))
    return f"<!date^{int(at)}^{{time_secs}}|{fallback}>"


def duration(seconds: float) -> str:
    rounded = max(0, round(seconds))
    return f"{rounded // 60} min {rounded % 60} s" if rounded >= 60 else f"{rounded} s"


MAX_FINDINGS, MAX_STEPS = 10, 25  # rows we show before "and N more"


def fit_text(lines: Sequence[str], last: Sequence[str]) -> str:
    """A message's text that has room for its last words."""
    end = truncate("\n".join(line for line in last if line), TEXT_LIMIT)
    return "\n".join(part for part in (truncate("\n".join(lines), max(0, TEXT_LIMIT - len(end) - 1)), end) if part)
