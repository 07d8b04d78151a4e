"""A message of the channel as lines for a terminal: tables in columns, a step a line, markup as clients show it."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from lab.slack.client import Seen

MARKS = {"pending": "·", "in_progress": "▸", "complete": "✓", "error": "✗"}
NAMES = {"U01ALICE": "alice", "U02BOB": "bob", "U00IMKER": "imker"}


def lines(message: Seen) -> list[str]:
    return [readable(line) for block in message.raw["blocks"] for line in _block(message, block)]


def readable(text: str) -> str:
    """Slack's markup as its clients show it."""
    text = re.sub(r"<@(\w+)>", lambda match: "@" + NAMES.get(match[1], match[1]), text)
    text = re.sub(r"<!date\^\d+\^[^|]*\|([^>]*)>", r"\1", text)
    text = re.sub(r"\*([^*\n]+)\*", r"\1", text)
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").replace("\u200a", "").rstrip()


def _block(message: Seen, block: dict[str, Any]) -> list[str]:
    match block["type"]:
        case "plan":
            return [_step(message, task) for task in block["tasks"]]
        case "table":
            return _columns([[cell.get("text", "") for cell in row] for row in block["rows"]])
        case "actions":
            return ["  ".join(f"[{element['text']['text']}]" for element in block["elements"])]
        case _:
            return _words(message, block)


def _step(message: Seen, task: dict[str, Any]) -> str:
    """With what came of it; before, with what it is about."""
    about = task.get("output") or task.get("details")
    said = ": " + " ".join(_words(message, about)) if about else ""
    return f"{MARKS[task['status']]} {task['title']}{said}"


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]


def _words(message: Seen, block: dict[str, Any]) -> list[str]:
    return replace(message, raw={**message.raw, "blocks": [block]}).plain.splitlines()
