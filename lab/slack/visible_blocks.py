"""Read the blocks of a message as a user sees them: buttons, menus, dialogs, and text. Pure."""

from typing import Any


def elements(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the elements of rows and those beside sections."""
    rows = [block["elements"] for block in blocks if block["type"] == "actions"]
    return [
        *(element for row in rows for element in row),
        *(block["accessory"] for block in blocks if "accessory" in block),
    ]


def dialog_of(blocks: list[dict[str, Any]], action_id: str) -> dict[str, Any]:
    """Return the confirmation dialog of the element, {} if it has none."""
    return next(
        (dict(block.get("confirm") or {}) for block in elements(blocks) if block.get("action_id") == action_id), {}
    )


def options(menu: dict[str, Any]) -> dict[str, str]:
    return {option["text"]["text"]: option["value"] for option in menu["options"]}
