"""Text from hosts and people, made harmless for Slack: the one place that does it. Pure."""

import re

from imker.text import cut, plain

__all__ = ["code", "cut", "mrkdwn", "plain"]


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
