"""Render a message of the channel for a terminal."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from lab.slack.client import VisibleMessage
from lab.slack.plain_text import cell_text

STEP_MARKS = {"pending": "·", "in_progress": "▸", "complete": "✓", "error": "✗"}
USER_NAMES = {"U01ALICE": "alice", "U02BOB": "bob", "U00IMKER": "imker", "S01OPS": "ops"}


def render_lines(message: VisibleMessage) -> list[str]:
    return [render_markup(line) for block in message.raw["blocks"] for line in _block_lines(message, block)]


def render_markup(text: str) -> str:
    """Render Slack's markup as its clients show it."""
    text = text.replace("<#C01OPS>", "#ops")
    text = re.sub(r"<@(\w+)>", lambda match: "@" + USER_NAMES.get(match[1], match[1]), text)
    text = re.sub(r"<!date\^\d+\^[^|]*\|([^>]*)>", r"\1", text)
    text = re.sub(r"<!subteam\^(\w+)>", lambda match: "@" + USER_NAMES.get(match[1], match[1]), text)
    text = re.sub(r"<(?:https?|mailto):[^|>]*\|([^>]*)>", r"\1", text)
    text = re.sub(r"\*([^*\n]+)\*", r"\1", text)
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").replace("\u200a", "").rstrip()


def _block_lines(message: VisibleMessage, block: dict[str, Any]) -> list[str]:
    match block["type"]:
        case "plan":
            return [_step_line(message, task) for task in block["tasks"]]
        case "table" | "data_table":
            return _align_columns([[render_markup(cell_text(cell)) for cell in row] for row in block["rows"]])
        case "actions":
            return ["  ".join(f"[{element['text']['text']}]" for element in block["elements"])]
        case "container" if block.get("block_id") == "done_steps":
            return [line for child in block["child_blocks"] for line in _text_lines(message, child)]
        case "container":
            return [f"▸ {block['title']['text']}"]
        case _:
            return _text_lines(message, block)


def _step_line(message: VisibleMessage, task: dict[str, Any]) -> str:
    """Render a step with its result or, before it has one, with its detail."""
    detail = task.get("output") or task.get("details")
    suffix = ": " + " ".join(_text_lines(message, detail)) if detail else ""
    return f"{STEP_MARKS[task['status']]} {task['title']}{suffix}"


def _align_columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]


def _text_lines(message: VisibleMessage, block: dict[str, Any]) -> list[str]:
    return replace(message, raw={**message.raw, "blocks": [block]}).plain_text.splitlines()
