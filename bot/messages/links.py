"""Turn run IDs into links to the runs' messages, user IDs in tables into mentions, and host names into code. Pure."""

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from bot.messages.block_kit import SECTION_LIMIT, TEXT_LIMIT, Block, Message

RUN_CODE = re.compile(r"`([a-z2-7]{8})`")  # how messages write the ID of a run
RUN_ID, USER_ID = re.compile(r"[a-z2-7]{8}"), re.compile(r"[UW][A-Z0-9]{2,}")
RUN_COLUMN, USER_COLUMN = "RUN", "USER"  # headers of the columns with IDs
ORDINARY_WORDS = frozenset({"docker", "engine", "host", "manager", "node", "swarm", "worker"})  # never marked as hosts
TABLES = ("table", "data_table")


def run_ids(message: Message) -> frozenset[str]:
    """Return everything in the message that may be a run's ID."""
    cells = (cell for block in message.blocks for cell in _column(block, RUN_COLUMN))
    texts = [message.text, *_texts(list(message.blocks))]
    return frozenset((*(run for text in texts for run in RUN_CODE.findall(text)), *filter(RUN_ID.fullmatch, cells)))


def add_references(message: Message, links: Mapping[str, str], hosts: Collection[str]) -> Message:
    """Return the message with a link for each run ID, a mention for each user ID in a table, and host names as code.

    `links`: by run; other IDs stay. A text that would get too long stays as it is.
    """
    host_name = _host_pattern(hosts)
    blocks = tuple(_with_references(block, links, host_name) for block in message.blocks)
    return replace(message, text=_link_text(message.text, links, TEXT_LIMIT), blocks=blocks)


def _host_pattern(hosts: Collection[str]) -> re.Pattern[str]:
    """Return a pattern of what may hold no marks (group 1), and of host names (group 2), whole words each."""
    names = sorted(set(hosts) - ORDINARY_WORDS, key=len, reverse=True)
    words = "|".join(map(re.escape, names)) or "(?!)"
    return re.compile(rf"(```.*?```|`[^`\n]*`|<[^>\n]*>)|(?<![\w./@-])({words})(?![\w/-]|\.\w)", re.DOTALL)


def _mark_hosts(text: str, host_name: re.Pattern[str]) -> str:
    marked = host_name.sub(lambda match: match[1] or f"`{match[2]}`", text)
    return marked if len(marked) <= SECTION_LIMIT else text


def _link_text(text: str, links: Mapping[str, str], limit: int) -> str:
    """Replace the IDs from the start of the text, as long as it does not get too long."""
    for run in dict.fromkeys(RUN_CODE.findall(text)):
        if run in links:
            linked = text.replace(f"`{run}`", f"<{links[run]}|{run}>")
            text = linked if len(linked) <= limit else text
    return text


def _with_references(part: Any, links: Mapping[str, str], host_name: re.Pattern[str]) -> Any:
    if isinstance(part, list):
        return [_with_references(inner, links, host_name) for inner in part]
    if not isinstance(part, dict):
        return part
    if part.get("type") == "mrkdwn":
        return {**part, "text": _link_text(_mark_hosts(part["text"], host_name), links, SECTION_LIMIT)}
    if part.get("type") in TABLES:
        return _link_cells(part, links)
    return {name: _with_references(inner, links, host_name) for name, inner in part.items()}


def _link_cells(block: Block, links: Mapping[str, str]) -> Block:
    headers, *rows = block["rows"]
    names = [header.get("text", "") for header in headers]
    linked = [[_link_cell(name, cell, links) for name, cell in zip(names, row, strict=True)] for row in rows]
    return {**block, "rows": [headers, *linked]}


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
    columns = [index for index, cell in enumerate(headers) if cell.get("text") == header]
    return [str(row[index].get("text", "")) for row in rows for index in columns]


def _texts(part: Any) -> list[str]:
    """Return all mrkdwn texts."""
    if isinstance(part, list):
        return [text for inner in part for text in _texts(inner)]
    if not isinstance(part, dict):
        return []
    return [part["text"]] if part.get("type") == "mrkdwn" else _texts(list(part.values()))
