"""What Slack refuses of the small parts that blocks are made of: texts, images, interactive elements. Pure."""

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


def plain(given: Any, longest: int) -> Iterator[str]:
    """Where Slack takes no mrkdwn."""
    if isinstance(given, dict) and given.get("type") == "mrkdwn":
        yield "plain_text is wanted"
    else:
        yield from text(given, longest)


def text(given: Any, longest: int) -> Iterator[str]:
    if not isinstance(given, dict) or given.get("type") not in ("mrkdwn", "plain_text"):
        yield "no text object"
    elif not 1 <= len(given.get("text", "")) <= longest:
        yield f"a text of 1 to {longest} characters"


def image(given: Part) -> Iterator[str]:
    if not given.get("image_url") and not given.get("slack_file"):
        yield "an image needs image_url or slack_file"
    if len(given.get("image_url", "")) > URL:
        yield "image_url too long"
    if not 1 <= len(given.get("alt_text", "")) <= ALT:
        yield f"an alt_text of 1 to {ALT} characters"


def element(given: Part, *taken: str) -> Iterator[str]:
    """One that people press, choose from or write into. `taken`: what else may stand there."""
    kind = given.get("type")
    if kind not in ("button", *SELECTS, *CHOICES, *PICKERS, *taken):
        yield f"unsupported element {kind}"
        return
    if len(given.get("action_id", "")) > ID:
        yield "action_id too long"
    if "confirm" in given:
        yield from _confirm(given["confirm"])
    if "placeholder" in given:
        yield from plain(given["placeholder"], PLACEHOLDER)
    if kind == "button":
        yield from _button(given)
    elif kind == "image":
        yield from image(given)
    elif kind in ("static_select", "multi_static_select", *CHOICES):
        yield from _choice(given, OVERFLOW if kind == "overflow" else OPTIONS)


def _button(given: Part) -> Iterator[str]:
    yield from plain(given.get("text"), LABEL)
    if len(given.get("value", "")) > VALUE:
        yield "value too long"
    if len(given.get("url", "")) > URL:
        yield "url too long"
    if given.get("style") not in (None, "primary", "danger"):
        yield "unknown style"


def _choice(given: Part, most: int) -> Iterator[str]:
    groups = given.get("option_groups")
    if groups is not None and not 1 <= len(groups) <= GROUPS:
        yield f"1 to {GROUPS} option_groups"
    for options in [group["options"] for group in groups] if groups else [given.get("options", ())]:
        if not 1 <= len(options) <= most:
            yield f"1 to {most} options"
        for option in options:
            yield from text(option.get("text"), LABEL)
            if len(option["value"]) > OPTION_VALUE:
                yield "an option's value too long"


def _confirm(given: Part) -> Iterator[str]:
    for name, longest in CONFIRM.items():
        if name in given or name in ("title", "text"):
            yield from (f"confirm {name}: {wrong}" for wrong in text(given.get(name), longest))
