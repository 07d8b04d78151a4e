"""Build Block Kit blocks and messages. Texts must be escaped already. Pure."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, Literal

from imker.text import truncate

SECTION_LIMIT = 2900  # characters of a section; Slack allows 3,000
PART_LIMIT, LINE_LIMIT = 1500, 300  # characters of one part of a run's message, and of one line
TEXT_LIMIT = 3500  # characters of a message's text
TITLE_LIMIT = 150  # characters of a container's title
MAX_FINDINGS, MAX_STEPS = 10, 25  # rows that are shown before "and N more"
Block = dict[str, Any]
# The kind of a refusal, for the audit log. void: the target does not exist or has finished. often: rate limit.
Refusal = Literal["", "misuse", "denied", "void", "often"]


@dataclass(frozen=True)
class Message:
    """A message for Slack.

    `text` contains everything that `blocks` show, for notifications, screen readers, and old clients.
    """

    text: str
    blocks: tuple[Block, ...]
    refusal: Refusal = ""


Reply = Callable[[Message], None]


def ephemeral(text: str, refusal: Refusal = "") -> Message:
    """Return a message with one section, for a private reply."""
    return Message(truncate(text, TEXT_LIMIT), (section(text),), refusal)


def section(text: str) -> Block:
    """Return a section block."""
    return {"type": "section", "text": _mrkdwn(text)}


def context(text: str) -> Block:
    """Return a context block: small gray text."""
    return {"type": "context", "elements": [_mrkdwn(text)]}


def _mrkdwn(text: str) -> Block:
    """Return a text object. With `verbatim`, Slack turns only <...> into links and mentions, no plain addresses."""
    return {"type": "mrkdwn", "text": truncate(text, SECTION_LIMIT), "verbatim": True}


def rich_text(text: str) -> Block:
    """Return a rich text block with plain, unformatted text."""
    content = {"type": "text", "text": text}
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [content]}]}


def visible_length(text: object) -> int:
    """Return the number of visible characters, which Slack limits per message."""
    if isinstance(text, list):
        return sum(map(visible_length, text))
    if not isinstance(text, dict):
        return 0
    texts = (value for key, value in text.items() if key in ("text", "title") and isinstance(value, str))
    return sum(map(len, texts)) + sum(map(visible_length, text.values()))


def button(
    label: str, action: str, value: str, style: str, description: str = "", confirm: Block | None = None
) -> Block:
    """Return a button.

    `style`: "primary", "danger", or "" for the default. `description`: for screen readers. `confirm`: the confirmation
    dialog.
    """
    button: Block = {
        "type": "button",
        "action_id": action,
        "value": value,
        "text": {"type": "plain_text", "text": label},
    }
    more = {"style": style, "accessibility_label": description, "confirm": confirm}
    return {**button, **{name: part for name, part in more.items() if part}}


def overflow(action: str, options: Sequence[tuple[str, str]]) -> Block:
    """Return an overflow menu. `options`: label and value of each item.

    Slack shows one confirmation dialog for all items of a menu, so what needs a confirmation is a button of its own.
    """
    items = [{"text": {"type": "plain_text", "text": label}, "value": value} for label, value in options]
    return {"type": "overflow", "action_id": action, "options": items}


def container(block_id: str, title: str, children: Sequence[Block]) -> Block:
    """Return a container that is collapsed at first. A constant `block_id` keeps it expanded during edits."""
    return {
        "type": "container",
        "block_id": block_id,
        "title": {"type": "plain_text", "text": truncate(title, TITLE_LIMIT)},
        "child_blocks": list(children),
        "is_collapsible": True,
        "default_collapsed": True,
    }


def without_containers(message: Message) -> Message:
    """Return the message with its containers unfolded, for a workspace that does not know them."""
    blocks = [_unfolded(block) if block["type"] == "container" else [block] for block in message.blocks]
    return replace(message, blocks=tuple(chain.from_iterable(blocks)))


def _unfolded(container: Block) -> list[Block]:
    title: str = container["title"]["text"]
    return [context(title), *container["child_blocks"]]


def timestamp(at: float) -> str:
    """Return a time of day that Slack shows in the reader's time zone, and in UTC elsewhere. `at`: UNIX seconds."""
    fallback = time.strftime("%H:%M UTC", time.gmtime(at))
    return f"<!date^{int(at)}^{{time}}|{fallback}>"


def duration(seconds: float) -> str:
    """Return a duration such as "2 min 5 s"."""
    rounded = max(0, round(seconds))
    return f"{rounded // 60} min {rounded % 60} s" if rounded >= 60 else f"{rounded} s"


def sentence(text: str) -> str:
    """Return the text as a sentence: first letter in upper case, with a full stop."""
    return f"{text[:1].upper()}{text[1:]}" + ("" if text.endswith((".", "?", "!")) else ".")


def fit_text(lines: Sequence[str], last: Sequence[str]) -> str:
    """Join the lines and the closing lines. If that is too long, the lines are shortened, not the closing lines."""
    end = truncate("\n".join(line for line in last if line), TEXT_LIMIT)
    return "\n".join(part for part in (truncate("\n".join(lines), max(0, TEXT_LIMIT - len(end) - 1)), end) if part)
