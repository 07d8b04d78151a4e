"""Parse every place that gives the daemon options: ExecStart and Environment of a unit, environment files. Pure.

In: a file's text. Out: its commands, as words with their position in the file.
"""

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache

from jobs.daemon_options.environment_file import PARSED_FILES, assignments
from jobs.daemon_options.flags import Flag, flags
from jobs.daemon_options.mapped_text import Entry, MappedText
from jobs.daemon_options.unit_file import directives
from jobs.daemon_options.words import Word, words

EXEC = "ExecStart"
PREFIX = re.compile(r"[-@:+!|]*")
SHELL = re.compile(r"(ba|da|k|z)?sh")


@dataclass(frozen=True)
class Command:
    """A command or a variable. `name`: ExecStart or the variable's name; `at`: position in the file."""

    name: str
    outer: MappedText
    words: tuple[Word, ...]
    at: int

    @cached_property
    def program(self) -> str:
        """Return the program's name without its folder, such as "docker" or "dockerd", "" for a variable."""
        path = self.words[0].text if self.name == EXEC and self.words else ""
        return PREFIX.sub("", path, count=1).rsplit("/", 1)[-1]

    @property
    def first(self) -> int:
        """Return the number of the first word after the program's name."""
        has_name_argument = bool(self.program) and "@" in PREFIX.match(self.words[0].text)[0]  # type: ignore[index]
        return (2 if has_name_argument else 1) if self.program else 0

    @cached_property
    def flags(self) -> tuple[Flag, ...]:
        """Return the flags of the command."""
        return tuple(flags([word.text for word in self.words], self.first))

    @property
    def verb(self) -> int | None:
        """Return the number of the word "daemon" or "-d" of `docker`, as used before 1.12, None if there is none."""
        if self.program != "docker":
            return None
        if self._plain:
            return self._plain[0] if self.words[self._plain[0]].text == "daemon" else None
        return next((flag.first for flag in self.flags if flag.name in ("d", "daemon")), None)

    @cached_property
    def options(self) -> tuple[Word, ...]:
        """Return the words without program and verb. () if the program does not pass them to the daemon."""
        if not (self.program in ("", "dockerd") or self.verb is not None or self._is_wrapper):
            return ()
        return tuple(word for at, word in enumerate(self.words) if at >= self.first and at != self.verb)

    @property
    def _plain(self) -> tuple[int, ...]:
        """Return the numbers of the words that are neither flags nor variables."""
        flag_positions = {at for flag in self.flags for at in range(flag.first, flag.last + 1)}
        after = range(self.first, len(self.words))
        return tuple(at for at in after if at not in flag_positions and self.words[at].text[:1] != "$")

    @property
    def _is_wrapper(self) -> bool:
        """Return whether the program is a wrapper script: it gets only options and passes them to the daemon."""
        return self.program != "docker" and not self._plain and not SHELL.fullmatch(self.program)


def is_unit(text: str) -> bool:
    """Return whether the text is a systemd unit, not an environment file."""
    return bool(re.search(r"^[ \t]*\[\w+\]", text, re.MULTILINE))


@lru_cache(PARSED_FILES)
def commands(text: str) -> tuple[Command, ...]:
    """Return the commands of a file. An empty ExecStart, which resets the earlier ones, has no words."""
    if not is_unit(text):
        return tuple(_variable_command(entry.name, entry.value, entry.start) for entry in assignments(text))
    return tuple(command for entry in directives(text) for command in _directive_commands(entry))


def _directive_commands(entry: Entry) -> tuple[Command, ...]:
    if entry.name == EXEC:
        return (Command(EXEC, entry.value, words(entry.value, codes=True), entry.start),)
    if entry.name != "Environment":
        return ()
    pairs = [(word.text.partition("=")[0], word) for word in words(entry.value, codes=True) if "=" in word.text]
    return tuple(_variable_command(name, word.value[len(name) + 1 :], entry.start) for name, word in pairs)


def _variable_command(name: str, value: MappedText, at: int) -> Command:
    return Command(name, value, words(value, codes=False), at)
