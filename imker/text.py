"""Make text from hosts and people harmless, wherever it is shown: a terminal, a log line, Slack. Pure."""

import re

MAX_LINE_LENGTH = 500  # characters of one line
ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[@-_]")
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


def strip_control(text: str) -> str:
    """Remove colours, control characters, halves of characters, and what turns the direction of reading."""
    return CONTROL.sub("", ANSI.sub("", text))


def truncate(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…" if limit else ""


def one_line(text: str, limit: int = MAX_LINE_LENGTH) -> str:
    """Return at most `longest` characters of `plain` text, with a space for each line break and tab."""
    return truncate(" ".join(strip_control(text[: 4 * limit].replace("\r", "\n")).split()), limit)
