"""Text from hosts and people, made harmless for Slack: the one place that does it. Pure."""

import re

from imker.text import strip_control, truncate

__all__ = ["escape_code", "escape_mrkdwn", "strip_control", "truncate"]


def escape_mrkdwn(text: str) -> str:
    """For mrkdwn: no mention, no link and no formatting comes alive."""
    escaped = _escape_entities(strip_control(text))
    # A hair of space keeps a mark that could open a format from doing so; within a word none does.
    return re.sub(r"(?<!\w)([*_~`])(?=\S)", "\\1\u200a", escaped)


def escape_code(text: str) -> str:
    """For what stands between ``` marks in mrkdwn: as it is, and it cannot end the stretch. `text`: of `plain`."""
    return _escape_entities(text.replace("```", "'''"))


def _escape_entities(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
