"""Turn run IDs into links to the runs' messages, and user IDs in tables into mentions. Pure."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bot.messages.block_kit import SECTION_LIMIT, TEXT_LIMIT, Block, Message

RUN_CODE = re.compile(r"`([a-z2-7]{8})`")  # how messages write the ID of a run
RUN_ID, USER_ID = re.compile(r"[a-z2-7]{8}"), re.compile(r"[UW][A-Z0-9]{2,}")
RUN_COLUMN, USER_COLUMN = "RUN", "USER"  # headers of the columns with IDs
TABLES = ("table", "data_table")


def run_ids(message: Message) -> frozenset[str]:
    """Return everything in the message that may be a run's ID."""
    cells = (cell for block in message.blocks for cell in _column(block, RUN_COLUMN))
    texts = [message.text, *_texts(list(message.blocks))]
    return frozenset((*(run for text in texts for run in RUN_CODE.findall(text)), *filter(RUN_ID.fullmatch, cells)))


def link_runs(message: Message, links: Mapping[str, str]) -> Message:
    """Return the message with a link for each run ID in `links`, by run, and a mention for each user ID in a table."""
    text = _link_text(message.text, links, TEXT_LIMIT)
    return replace(message, text=text, blocks=tuple(_link_block(block, links) for block in message.blocks))


def _link_text(text: str, links: Mapping[str, str], limit: int) -> str:
    """Replace the IDs from the start of the text, as long as it does not get too long."""
    for run in dict.fromkeys(RUN_CODE.findall(text)):
        if run in links:
            linked = text.replace(f"`{run}`", f"<{links[run]}|{run}>")
            text = linked if len(linked) <= limit else text
    return text


def _link_block(block: Block, links: Mapping[str, str]) -> Block:
    if block["type"] in TABLES:
        headers, *rows = block["rows"]
        names = [header.get("text", "") for header in headers]
        linked = [[_link_cell(n, cell, links) for n, cell in zip(names, row, strict=True)] for row in rows]
        return {**block, "rows": [headers, *linked]}
    linked_block: Block = _link_part(block, links)
    return linked_block


def _link_part(part: Any, links: Mapping[str, str]) -> Any:
    if isinstance(part, list):
        return [_link_part(inner, links) for inner in part]
    if not isinstance(part, dict):
        return part
    if part.get("type") == "mrkdwn":
        return {**part, "text": _link_text(part["text"], links, SECTION_LIMIT)}
    return {name: _link_part(inner, links) for name, inner in part.items()}


def _link_cell(column: str, cell: Block, links: Mapping[str, str]) -> Block:
    text = str(cell.get("text", ""))
    if column == RUN_COLUMN and text in links:
        return _rich_cell({"type": "link", "url": links[text], "text": text})
    if column == USER_COLUMN and USER_ID.fullmatch(text):
        return _rich_cell({"type": "user", "user_id": text})
    return cell


def _rich_cell(element: Block) -> Block:
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [element]}]}


def _column(block: Block, header: str) -> list[str]:
    """Return the texts of a table's column, [] if the block has no such column."""
    if block["type"] not in TABLES:
        return []
    headers, *rows = block["rows"]
    found = [index for index, cell in enumerate(headers) if cell.get("text") == header]
    return [str(row[index].get("text", "")) for row in rows for index in found]


def _texts(part: Any) -> list[str]:
    """Return all mrkdwn texts."""
    if isinstance(part, list):
        return [text for inner in part for text in _texts(inner)]
    if not isinstance(part, dict):
        return []
    return [part["text"]] if part.get("type") == "mrkdwn" else _texts(list(part.values()))
