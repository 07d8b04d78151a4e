"""What Slack refuses of blocks: pure, from its documents and the field. Every limit is a name here."""

from collections.abc import Iterator
from typing import Any

BLOCKS, TOTAL, TEXT = 50, 13_200, 40_000
SECTION, FIELD, FIELDS, HEADER, ELEMENTS, CONTEXT = 3000, 2000, 10, 150, 25, 10
BUTTON, VALUE, ACTION_ID, BLOCK_ID = 75, 2000, 255, 255
ROWS, COLUMNS, CELLS = 100, 20, 10_000
STATUSES = ("pending", "in_progress", "complete", "error")
TYPES = (
    "section",
    "context",
    "actions",
    "divider",
    "header",
    "image",
    "rich_text",
    "table",
    "plan",
    "task_card",
    "markdown",
)
Block = dict[str, Any]


def problems(blocks: list[Block]) -> list[str]:
    """What is wrong with a message's blocks, none for good ones. The first word is Slack's error code."""
    return [*_all(blocks), *(f"invalid_blocks {index}: {wrong}" for index, b in enumerate(blocks) for wrong in _one(b))]


def size(value: Any) -> int:
    """Characters of all texts that people see."""
    if isinstance(value, list):
        return sum(map(size, value))
    if not isinstance(value, dict):
        return 0
    own = (inner for key, inner in value.items() if key in ("text", "title") and isinstance(inner, str))
    return sum(map(len, own)) + sum(map(size, value.values()))


def _all(blocks: list[Block]) -> Iterator[str]:
    if len(blocks) > BLOCKS:
        yield "invalid_blocks: too many blocks"
    if size(blocks) > TOTAL:
        yield "msg_blocks_too_long"
    for kind, error in (("table", "only_one_table_allowed"), ("plan", "invalid_blocks: more than 1 plan block")):
        if sum(block.get("type") == kind for block in blocks) > 1:
            yield error
    ids = [block["block_id"] for block in blocks if "block_id" in block]
    if len(ids) != len(set(ids)):
        yield "invalid_blocks: the same block_id twice"


def _one(block: Block) -> Iterator[str]:
    kind = block.get("type")
    if kind not in TYPES:
        yield f"unsupported type {kind}"
        return
    if len(block.get("block_id", "")) > BLOCK_ID:
        yield "block_id too long"
    check = CHECKS.get(str(kind))
    yield from check(block) if check else ()


def _section(block: Block) -> Iterator[str]:
    if "text" not in block and not block.get("fields"):
        yield "a section needs text or fields"
    if "text" in block:
        yield from _text(block["text"], SECTION)
    if len(block.get("fields", ())) > FIELDS:
        yield "too many fields"
    for field in block.get("fields", ()):
        yield from _text(field, FIELD)


def _context(block: Block) -> Iterator[str]:
    if not 1 <= len(block.get("elements", ())) <= CONTEXT:
        yield "a context has 1 to 10 elements"
    for element in block.get("elements", ()):
        yield from _text(element, SECTION)


def _header(block: Block) -> Iterator[str]:
    yield from _text(block.get("text", {}), HEADER)


def _actions(block: Block) -> Iterator[str]:
    elements = block.get("elements", ())
    if not 1 <= len(elements) <= ELEMENTS:
        yield "an actions block has 1 to 25 elements"
    ids = [element.get("action_id") for element in elements]
    if len(ids) != len(set(ids)):
        yield "the same action_id twice"
    for element in elements:
        yield from _text(element.get("text", {}), BUTTON)
        if len(element.get("value", "")) > VALUE or len(element.get("action_id", "")) > ACTION_ID:
            yield "value or action_id too long"
        if element.get("style") not in (None, "primary", "danger"):
            yield "unknown style"


def _table(block: Block) -> Iterator[str]:
    rows = block.get("rows", ())
    if not 1 <= len(rows) <= ROWS:
        yield "a table has 1 to 100 rows"
    if any(not 1 <= len(row) <= COLUMNS for row in rows):
        yield "a row has 1 to 20 cells"
    if any(not cell.get("text") for row in rows for cell in row if cell.get("type") == "raw_text"):
        yield "an empty cell"
    if sum(len(cell.get("text", "")) for row in rows for cell in row) > CELLS:
        yield "a table's cells have 10,000 characters at most"


def _plan(block: Block) -> Iterator[str]:
    if not block.get("title"):
        yield "a plan needs a title"
    ids = [task.get("task_id") for task in block.get("tasks", ())]
    if len(ids) != len(set(ids)):
        yield "the same task_id twice"
    for task in block.get("tasks", ()):
        yield from _task(task)


def _task(block: Block) -> Iterator[str]:
    if block.get("status") not in STATUSES:
        yield f"no such status: {block.get('status')}"
    if not block.get("task_id") or not block.get("title"):
        yield "a task needs a task_id and a title"
    for name in ("details", "output"):
        if name in block and block[name].get("type") != "rich_text":
            yield f"{name} is one rich_text"


def _text(text: Any, longest: int) -> Iterator[str]:
    if not isinstance(text, dict) or text.get("type") not in ("mrkdwn", "plain_text"):
        yield "no text object"
    elif not 1 <= len(text.get("text", "")) <= longest:
        yield f"a text of 1 to {longest} characters"


CHECKS = {
    "section": _section,
    "context": _context,
    "actions": _actions,
    "header": _header,
    "table": _table,
    "plan": _plan,
    "task_card": _task,
}
