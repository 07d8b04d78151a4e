"""Escape text from hosts and people for Slack. The only place that does so. Pure."""

import re

from imker.text import strip_control, truncate

__all__ = ["escape_code", "escape_mrkdwn", "inline_code", "strip_control", "truncate"]


def escape_mrkdwn(text: str) -> str:
    """Escape text for mrkdwn, so that it contains no mentions, links, or formatting."""
    escaped = _escape_entities(strip_control(text))
    # A hair space after a mark keeps Slack from opening a format there. Marks within a word open none.
    return re.sub(r"(?<!\w)([*_~`])(?=\S)", "\\1\u200a", escaped)


def escape_code(text: str) -> str:
    """Escape text for a code block in mrkdwn, so that it cannot close the block.

    `text` must have passed `strip_control`.
    """
    return _escape_entities(text.replace("```", "'''"))


def inline_code(text: str) -> str:
    """Return the text as inline code in mrkdwn, which it cannot close."""
    escaped = _escape_entities(strip_control(text).replace("`", "'"))
    return f"`{escaped}`"


def _escape_entities(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
