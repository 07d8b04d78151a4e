"""Format messages as text to read from top to bottom."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

BlockMapping = Mapping[str, Any]


def page(*sections: str) -> str:
    """Join sections with a blank line between them."""
    return "\n\n".join(section.rstrip() for section in sections) + "\n"


def section(title: str, *lines: str) -> str:
    """Return lines under an underlined title."""
    return "\n".join([title, "-" * len(title), *lines])


def message(text: str, blocks: Iterable[BlockMapping], *more: str) -> str:
    """Return the blocks of a Slack message, then its notification text, with repeated lines given by number."""
    body = [_shorten_dates(line) for block in blocks for line in _block(block)]
    plain = _refer_to_lines(_shorten_dates(text).splitlines(), [*more, *body])
    is_repeated = plain == [f"  | = {_span(1 + len(more), len(more) + len(body))}"]
    return "\n".join([*more, *body, *([] if is_repeated else ["text:", *plain])])


def _shorten_dates(text: str) -> str:
    """Shorten the date tokens of Slack to their format and their fallback."""
    return re.sub(r"<!date\^\d+\^(\{[^}]*\})\|([^>]*)>", r"<\1 \2>", text)


def _refer_to_lines(lines: Iterable[str], above: list[str]) -> list[str]:
    """Replace lines that already appear above by their line numbers."""
    line_numbers = {_bare(line): number for number, line in reversed(list(enumerate(above, 1)))}
    references: list[tuple[int, int] | str] = []
    for line in lines:
        number = line_numbers.get(_bare(line), 0)
        last = references[-1] if references else ""
        if number and isinstance(last, tuple) and last[1] == number - 1:
            references[-1] = (last[0], number)
        else:
            references.append((number, number) if number else line)
    return [f"  | = {_span(*item)}" if isinstance(item, tuple) else f"  | {item}".rstrip() for item in references]


def _span(first: int, last: int) -> str:
    return f"line {first}" if first == last else f"lines {first} to {last}"


def _bare(line: str) -> str:
    """Return a line without the prefix that this page adds."""
    bare = line.strip()
    return bare[1:-1] if bare.startswith("(") and bare.endswith(")") else bare


def _block(block: BlockMapping) -> list[str]:
    match block["type"]:
        case "section":
            menu = [_menu(block["accessory"])] if "accessory" in block else []
            return _indented([*block["text"]["text"].splitlines(), *menu])
        case "container":
            inner = (line for child in block["child_blocks"] for line in _block(child))
            return _indented([f"[+] {block['title']['text']}", *inner])
        case "context":
            return _indented([f"({item['text']})" for item in block["elements"]])
        case "plan":
            return _indented([f"plan: {block['title']}", *(line for task in block["tasks"] for line in _task(task))])
        case "table":
            return _indented(_table([[cell["text"].strip() for cell in row] for row in block["rows"]]))
        case "data_table":
            rows = _table([[cell["text"].strip() for cell in row] for row in block["rows"]])
            pages = f"{block['caption']}, pages of {block['page_size']}"
            return _indented([pages, *rows])
        case "actions":
            return _indented([_button(item) for item in block["elements"]])
        case _:
            return _indented([json.dumps(block, ensure_ascii=False, sort_keys=True)])


def _task(task: BlockMapping) -> list[str]:
    notes = [f"    {name}: {_rich(task[name])}" for name in ("details", "output") if name in task]
    return [f"  {task['status']}: {task['title']}", *notes]


def _rich(value: BlockMapping) -> str:
    return "".join(part["text"] for element in value["elements"] for part in element["elements"])


def _menu(menu: BlockMapping) -> str:
    items = ", ".join(f"{option['text']['text']} ({option['value']})" for option in menu["options"])
    return "  ".join(part for part in (f"[…] {items}", menu["action_id"], _dialog(menu)) if part)


def _button(button: BlockMapping) -> str:
    parts = [f"[{button['text']['text']}]", button["action_id"], button["value"], button.get("style", "")]
    parts += [f"“{button['accessibility_label']}”" if "accessibility_label" in button else "", _dialog(button)]
    return "  ".join(part for part in parts if part)


def _dialog(element: BlockMapping) -> str:
    if "confirm" not in element:
        return ""
    title, text, yes, no = (element["confirm"][name]["text"] for name in ("title", "text", "confirm", "deny"))
    return f"asks “{title} {text}” [{yes}] [{no}]"


def _table(rows: list[list[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _indented(lines: Iterable[str], by: str = "  ") -> list[str]:
    return [f"{by}{line}".rstrip() for line in lines]
