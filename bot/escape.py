"""Text from hosts and people, made harmless for Slack: the one place that does it. Pure."""

import re

ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[@-_]")
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


def plain(text: str) -> str:
    """For plain_text and raw_text: no colours, no control characters, nothing that turns the direction of reading."""
    return CONTROL.sub("", ANSI.sub("", text))


def mrkdwn(text: str) -> str:
    """For mrkdwn: no mention, no link and no formatting comes alive."""
    escaped = _inert(plain(text))
    # A hair of space keeps a mark that could open a format from doing so; within a word none does.
    return re.sub(r"(?<!\w)([*_~`])(?=\S)", "\\1\u200a", escaped)


def code(text: str) -> str:
    """For what stands between ``` marks in mrkdwn: as it is, and it cannot end the stretch. `text`: of `plain`."""
    return _inert(text.replace("```", "'''"))


def _inert(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…" if longest else ""
