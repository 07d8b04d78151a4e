"""Read the flag `--private`, which every command that reads takes. Pure."""

from bot.commands.model import PRIVATE_FLAG
from bot.commands.normalize import normalize
from bot.commands.table import BY_NAME


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
