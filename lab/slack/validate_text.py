"""Rules that Slack enforces on the parts of blocks: texts, images, interactive elements. Pure."""

from collections.abc import Iterator
from typing import Any

SECTION, LABEL, VALUE, ID, URL, ALT = 3000, 75, 2000, 255, 3000, 2000  # characters
PLACEHOLDER, OPTION_VALUE, OPTIONS, OVERFLOW, GROUPS = 150, 150, 100, 5, 100
CONFIRM = {"title": 100, "text": 300, "confirm": 30, "deny": 30}
SELECTS = tuple(f"{many}{kind}_select" for many in ("", "multi_") for kind in
                ("static", "external", "users", "conversations", "channels"))  # fmt: skip
CHOICES = ("overflow", "radio_buttons", "checkboxes")
PICKERS = ("datepicker", "timepicker", "datetimepicker")
INPUTS = ("plain_text_input", "email_text_input", "number_input", "url_text_input", "rich_text_input", "file_input")
Part = dict[str, Any]


def check_plain_text(part: Any, max_length: int) -> Iterator[str]:
    """Check a text that may not contain mrkdwn."""
    if isinstance(part, dict) and part.get("type") == "mrkdwn":
        yield "plain_text is wanted"
    else:
        yield from check_text(part, max_length)


def check_text(part: Any, max_length: int) -> Iterator[str]:
    if not isinstance(part, dict) or part.get("type") not in ("mrkdwn", "plain_text"):
        yield "no text object"
    elif not 1 <= len(part.get("text", "")) <= max_length:
        yield f"a text of 1 to {max_length} characters"


def check_image(part: Part) -> Iterator[str]:
    if not part.get("image_url") and not part.get("slack_file"):
        yield "an image needs image_url or slack_file"
    if len(part.get("image_url", "")) > URL:
        yield "image_url too long"
    if not 1 <= len(part.get("alt_text", "")) <= ALT:
        yield f"an alt_text of 1 to {ALT} characters"


def check_element(part: Part, *extra_types: str) -> Iterator[str]:
    """Check an interactive element. `extra_types` are also allowed."""
    kind = part.get("type")
    if kind not in ("button", *SELECTS, *CHOICES, *PICKERS, *extra_types):
        yield f"unsupported element {kind}"
        return
    if len(part.get("action_id", "")) > ID:
        yield "action_id too long"
    if "confirm" in part:
        yield from _check_confirm(part["confirm"])
    if "placeholder" in part:
        yield from check_plain_text(part["placeholder"], PLACEHOLDER)
    if kind == "button":
        yield from _check_button(part)
    elif kind == "image":
        yield from check_image(part)
    elif kind in ("static_select", "multi_static_select", *CHOICES):
        yield from _check_choice(part, OVERFLOW if kind == "overflow" else OPTIONS)


def _check_button(part: Part) -> Iterator[str]:
    yield from check_plain_text(part.get("text"), LABEL)
    if len(part.get("value", "")) > VALUE:
        yield "value too long"
    if len(part.get("url", "")) > URL:
        yield "url too long"
    if part.get("style") not in (None, "primary", "danger"):
        yield "unknown style"
    if len(part.get("accessibility_label", "")) > LABEL:
        yield "accessibility_label too long"


def _check_choice(part: Part, max_options: int) -> Iterator[str]:
    groups = part.get("option_groups")
    if groups is not None and not 1 <= len(groups) <= GROUPS:
        yield f"1 to {GROUPS} option_groups"
    for options in [group["options"] for group in groups] if groups else [part.get("options", ())]:
        if not 1 <= len(options) <= max_options:
            yield f"1 to {max_options} options"
        yield from _check_options(options)


def check_choices(options: list[Part], max_options: int) -> Iterator[str]:
    """Check a list of options."""
    yield from _check_choice({"options": options}, max_options)


def _check_options(options: list[Part]) -> Iterator[str]:
    for option in options:
        yield from check_text(option.get("text"), LABEL)
        if len(option["value"]) > OPTION_VALUE:
            yield "an option's value too long"


def _check_confirm(part: Part) -> Iterator[str]:
    for name, max_length in CONFIRM.items():
        check = check_text if name == "text" else check_plain_text
        if name in part or name in ("title", "text"):
            yield from (f"confirm {name}: {problem}" for problem in check(part.get(name), max_length))
