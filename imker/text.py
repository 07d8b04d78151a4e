"""Make text from hosts and users safe to show in a terminal, a log line, or Slack. Pure."""

import re

MAX_LINE_LENGTH = 500  # characters of one line
ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[@-_]")
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


def strip_control(text: str) -> str:
    """Remove colors, control characters, lone surrogates, and characters that change the text direction."""
    return CONTROL.sub("", ANSI.sub("", text))


def truncate(text: str, limit: int) -> str:
    """Return at most `limit` characters. A shortened text ends with an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1] + "…" if limit else ""


def one_line(text: str, limit: int = MAX_LINE_LENGTH) -> str:
    """Return the text on one line without control characters, at most `limit` characters long."""
    return truncate(" ".join(strip_control(text[: 4 * limit].replace("\r", "\n")).split()), limit)
