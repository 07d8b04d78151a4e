"""Rules that Slack enforces on one block, by its type. Pure: a block in, problems out. Raises on unexpected shapes."""

from collections.abc import Callable, Iterator
from typing import Any

from lab.slack.validate_text import INPUTS, SECTION, check_element, check_image, check_plain_text, check_text

FIELD, FIELDS, HEADER, ELEMENTS, CONTEXT, INPUT = 2000, 10, 150, 25, 10, 2000
ROWS, COLUMNS, CELLS = 100, 20, 10_000
DATA_ROWS, DATA_CELLS, PAGE = 201, 20_000, 100
CHILDREN, TITLE, BODY, CARD_BUTTONS, ALERT = 10, 150, 200, 2, 200
STATUSES = ("pending", "in_progress", "complete", "error")
LEVELS = ("default", "info", "warning", "error", "success")
CONTAINER_CHILDREN = ("actions", "context", "divider", "header", "image", "input", "rich_text", "section", "table")
RICH_TEXT_PARTS = ("rich_text_section", "rich_text_list", "rich_text_preformatted", "rich_text_quote")
Block = dict[str, Any]


def text_length(value: Any) -> int:
    """Return the number of visible characters."""
    if isinstance(value, list):
        return sum(map(text_length, value))
    if not isinstance(value, dict):
        return 0
    texts = (inner for key, inner in value.items() if key in ("text", "title") and isinstance(inner, str))
    return sum(map(len, texts)) + sum(map(text_length, value.values()))


def _section(block: Block) -> Iterator[str]:
    if "text" not in block and not block.get("fields"):
        yield "a section needs text or fields"
    if "text" in block:
        yield from check_text(block["text"], SECTION)
    if len(block.get("fields", ())) > FIELDS:
        yield "too many fields"
    for field in block.get("fields", ()):
        yield from check_text(field, FIELD)
    if "accessory" in block:
        yield from check_element(block["accessory"], "image")


def _context(block: Block) -> Iterator[str]:
    if not 1 <= len(block.get("elements", ())) <= CONTEXT:
        yield "a context has 1 to 10 elements"
    for item in block.get("elements", ()):
        yield from check_image(item) if item.get("type") == "image" else check_text(item, SECTION)


def _header(block: Block) -> Iterator[str]:
    yield from check_plain_text(block.get("text"), HEADER)


def _actions(block: Block) -> Iterator[str]:
    elements = block.get("elements", ())
    if not 1 <= len(elements) <= ELEMENTS:
        yield "an actions block has 1 to 25 elements"
    ids = [item["action_id"] for item in elements if "action_id" in item]
    if len(ids) != len(set(ids)):
        yield "the same action_id twice"
    for item in elements:
        yield from check_element(item)


def _image(block: Block) -> Iterator[str]:
    yield from check_image(block)
    if "title" in block:
        yield from check_plain_text(block["title"], FIELD)


def _input(block: Block) -> Iterator[str]:
    yield from check_plain_text(block.get("label"), INPUT)
    yield from check_element(block["element"], *INPUTS)


def _rich_text(block: Block) -> Iterator[str]:
    parts = block.get("elements", ())
    if not parts:
        yield "a rich_text needs elements"
    if any(part["type"] not in RICH_TEXT_PARTS for part in parts):
        yield "unsupported element of a rich_text"


def _markdown(block: Block) -> Iterator[str]:
    if not block["text"].strip():
        yield "a markdown needs text"


def _table(block: Block) -> Iterator[str]:
    rows = block.get("rows", ())
    if not 1 <= len(rows) <= ROWS:
        yield "a table has 1 to 100 rows"
    if len(block.get("column_settings", ())) > COLUMNS:
        yield "column_settings of 20 columns at most"
    yield from _cells(rows, CELLS)


def _data_table(block: Block) -> Iterator[str]:
    rows = block.get("rows", ())
    if not block.get("caption"):
        yield "a data_table needs a caption"
    if not 2 <= len(rows) <= DATA_ROWS:
        yield "a data_table has 2 to 201 rows"
    if not 1 <= block.get("page_size", 1) <= PAGE:
        yield "a page_size of 1 to 100"
    yield from _cells(rows, DATA_CELLS)


def _cells(rows: list[list[Block]], max_characters: int) -> Iterator[str]:
    cells = [cell for row in rows for cell in row]
    if any(not 1 <= len(row) <= COLUMNS for row in rows):
        yield "a row has 1 to 20 cells"
    for kind in sorted({str(cell.get("type")) for cell in cells} - {"raw_text", "raw_number", "rich_text"}):
        yield f"unsupported cell {kind}"
    if any(not cell.get("text") for cell in cells if cell.get("type") == "raw_text"):
        yield "an empty cell"
    if sum(text_length(cell) + len(str(cell.get("value", ""))) for cell in cells) > max_characters:
        yield f"the cells have {max_characters:,} characters at most"


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


def _container(block: Block) -> Iterator[str]:
    children = block.get("child_blocks", ())
    if not 1 <= len(children) <= CHILDREN:
        yield "a container has 1 to 10 child_blocks"
    if "title" not in block and "rich_text_title" not in block:
        yield "a container needs a title"
    if "title" in block:
        yield from check_plain_text(block["title"], TITLE)
    if block.get("default_collapsed") and not block.get("is_collapsible"):
        yield "default_collapsed needs is_collapsible"
    for child in children:
        kind = str(child.get("type"))
        yield from CHECKS[kind](child) if kind in CONTAINER_CHILDREN else (f"no {kind} in a container",)


def _card(block: Block) -> Iterator[str]:
    if not {"hero_image", "title", "actions", "body"} & block.keys():
        yield "a card needs a hero_image, a title, actions or a body"
    for name, max_length in (("title", TITLE), ("subtitle", TITLE), ("body", BODY)):
        if name in block:
            yield from check_text(block[name], max_length)
    if len(block.get("actions", ())) > CARD_BUTTONS:
        yield "a card has 2 buttons at most"
    for item in block.get("actions", ()):
        yield from check_element(item)


def _alert(block: Block) -> Iterator[str]:
    yield from check_text(block.get("text"), ALERT)
    if block.get("level", "default") not in LEVELS:
        yield "unknown level"


def _accept_any(block: Block) -> Iterator[str]:
    """Accept any block of this type. A divider has only its type, and charts are not checked."""
    yield from ()


CHECKS: dict[str, Callable[[Block], Iterator[str]]] = {
    "section": _section,
    "context": _context,
    "actions": _actions,
    "header": _header,
    "image": _image,
    "input": _input,
    "rich_text": _rich_text,
    "markdown": _markdown,
    "table": _table,
    "data_table": _data_table,
    "plan": _plan,
    "task_card": _task,
    "container": _container,
    "card": _card,
    "alert": _alert,
    "divider": _accept_any,
    "data_visualization": _accept_any,
}
