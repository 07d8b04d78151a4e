"""Parse what a user types: text in, a command or a usage error out. Pure."""

import difflib

from bot.commands.arguments import MAX_ECHOED
from bot.commands.model import Arguments, CommandSpec, ParsedCommand, ShowHelp, UsageError
from bot.commands.normalize import normalize
from bot.commands.table import BY_NAME

MAX_LENGTH = 300  # characters of a command


def parse(text: str, *, hosts: tuple[str, ...] = ()) -> ParsedCommand | UsageError:
    """Return the command, or what is wrong with it. `hosts`: names of the inventory, empty while they are unknown."""
    if len(text) > MAX_LENGTH:
        return UsageError(f"Commands can't be longer than {MAX_LENGTH} characters.", "See `/swarm help`.")
    words = normalize(text).split()
    if not words:
        return ShowHelp()
    spec, rest = _split_name(words)
    return spec.build(Arguments(spec, tuple(rest), hosts)) if spec else _suggest_command(words[0])


def _split_name(words: list[str]) -> tuple[CommandSpec | None, list[str]]:
    """Return the command that the first one or two words name, and the words after its name."""
    first = words[0].lower().rstrip(".,:;!")
    both = " ".join([first, *(word.lower() for word in words[1:2])])
    return (BY_NAME[both], words[2:]) if both in BY_NAME else (BY_NAME.get(first), words[1:])


def _suggest_command(word: str) -> UsageError:
    suggestions = difflib.get_close_matches(word.lower(), BY_NAME, 1, cutoff=0.5)
    usage = (
        f"Did you mean `/swarm {suggestions[0]}`? `{BY_NAME[suggestions[0]].usage}`"
        if suggestions
        else "See `/swarm help`."
    )
    return UsageError(f"There is no command {word[:MAX_ECHOED].rstrip('.?!')}.", usage)
