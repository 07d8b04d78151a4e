"""Decide who sees the answer to a command, and read the flag `--private` of commands that read. Pure."""

from typing import Literal

from bot.commands.model import PRIVATE_FLAG, CommandSpec
from bot.commands.normalize import normalize
from bot.commands.table import BY_NAME

Audience = Literal["channel", "requester", "channel unless private"]


def audience(spec: CommandSpec, private_reads: bool) -> Audience:
    """Return who sees the command's answer. `private_reads`: whether the answers of what reads are private anyway.

    Only a command that starts a run can be answered in the channel, and only such a command offers `--private`.
    """
    if spec.right not in ("", "read"):
        return "channel"
    is_private = private_reads or PRIVATE_FLAG not in spec.flags
    return "requester" if is_private else "channel unless private"


def split_private(text: str) -> tuple[str, bool]:
    """Return the command without `--private`, and whether it had that flag. Other commands keep all their words."""
    words = normalize(text).split()
    spec = BY_NAME.get(words[0].lower()) if words else None
    if spec is None or spec.right != "read":
        return text, False
    others = [word for word in words if not _is_private_flag(word)]
    return " ".join(others), len(others) < len(words)


def _is_private_flag(word: str) -> bool:
    return word.startswith("-") and word.lower().lstrip("-").removesuffix(".") == PRIVATE_FLAG.lstrip("-")
