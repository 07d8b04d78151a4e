"""Escape text from hosts and people for Slack. The only place that does so. Pure."""

import re

from imker.text import strip_control, truncate

__all__ = ["escape_code", "escape_mrkdwn", "escape_with_code", "inline_code", "strip_control", "truncate"]

MARK = re.compile(r"(?<!\w)([*_~])(?=\S)")  # a mark within a word opens no format
CODE_OR_MARK = re.compile(rf"(`[^`\n]+`)|{MARK.pattern}|`")


def escape_mrkdwn(text: str) -> str:
    """Escape text for mrkdwn, so that it contains no mentions, links, or formatting."""
    # A hair space after a mark keeps Slack from opening a format there.
    return MARK.sub("\\1\u200a", _escape_entities(strip_control(text)).replace("`", "'"))


def escape_with_code(text: str) -> str:
    """Escape text for mrkdwn like `escape_mrkdwn`, but keep code between backticks, exactly as one can copy it."""
    return CODE_OR_MARK.sub(_keep_code, _escape_entities(strip_control(text)))


def _keep_code(match: re.Match[str]) -> str:
    code, mark = match.groups()
    return code or (f"{mark}\u200a" if mark else "'")


def escape_code(text: str) -> str:
    """Escape text for a code block in mrkdwn, so that it cannot close the block.

    `text` must have passed `strip_control`.
    """
    # A single mark at either end would join the three that open or close the block.
    return _escape_entities(re.sub(r"\A`|`\Z", "'", text.replace("```", "'''")))


def inline_code(text: str) -> str:
    """Return the text as inline code on one line of mrkdwn, which it cannot close."""
    escaped = _escape_entities(strip_control(text).replace("`", "'").replace("\n", " "))
    return f"`{escaped}`"


def _escape_entities(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
