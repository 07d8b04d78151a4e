"""Make text from hosts and people harmless, wherever it is shown: a terminal, a log line, Slack. Pure."""

import re

LONGEST = 500  # characters of one line
ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[@-_]")
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


def plain(text: str) -> str:
    """Remove colours, control characters, halves of characters, and what turns the direction of reading."""
    return CONTROL.sub("", ANSI.sub("", text))


def cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…" if longest else ""


def one_line(text: str, longest: int = LONGEST) -> str:
    """Return at most `longest` characters of `plain` text, with a space for each line break and tab."""
    return cut(" ".join(plain(text[: 4 * longest].replace("\r", "\n")).split()), longest)
