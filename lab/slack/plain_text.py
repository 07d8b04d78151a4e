"""Read all text of blocks, from top to bottom, as a user sees it. Pure."""

from typing import Any


def view_text(view: dict[str, Any]) -> str:
    """Return all text of a view's blocks, from top to bottom."""
    return "\n".join(line for block in view["blocks"] for line in block_texts(block))


def cell_text(cell: Any) -> str:
    """Return the text of a table's cell, with mentions as in mrkdwn."""
    if isinstance(cell, list):
        return "".join(map(cell_text, cell))
    if cell.get("type") == "user":
        return f"<@{cell['user_id']}>"
    return cell_text(cell["elements"]) if "elements" in cell else str(cell.get("text", cell.get("value", "")))


def block_texts(block: Any) -> list[str]:
    """Return texts in reading order, a table row as one line."""
    if isinstance(block, list):
        return [line for inner in block for line in block_texts(inner)]
    if not isinstance(block, dict):
        return []
    if block.get("type") in ("table", "data_table"):
        return ["  ".join(map(cell_text, row)) for row in block["rows"]]
    if isinstance(block.get("text"), str):
        return [block["text"]]
    lines = [f"[{block['status']}] {block['title']}"] if block.get("type") == "task_card" else []
    lines += [block["title"]] if block.get("type") == "plan" else []
    inner = (block.get(key) for key in ("label", "text", "elements", "fields", "tasks", "details", "output"))
    lines += (
        block_texts(block["title"]) + block_texts(block["child_blocks"]) if block.get("type") == "container" else []
    )
    return lines + [line for value in inner for line in block_texts(value)]
