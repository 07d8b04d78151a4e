"""Every text that gives the daemon options: a unit's ExecStart and Environment, an environment file's variables. Pure.

In: a file's text. Out: its commands, as words that know where they stand.
"""

import re
from dataclasses import dataclass

from jobs.daemon_options.environment_file import assignments
from jobs.daemon_options.flags import Flag, flags
from jobs.daemon_options.mapped_text import Entry, MappedText
from jobs.daemon_options.unit_file import directives
from jobs.daemon_options.words import Word, words

EXEC = "ExecStart"
PREFIX = re.compile(r"[-@:+!|]*")
SHELL = re.compile(r"(ba|da|k|z)?sh")


@dataclass(frozen=True)
class Command:
    """`name`: ExecStart or a variable's; `at`: where it begins in the file; the words are those of `outer`."""

    name: str
    outer: MappedText
    words: tuple[Word, ...]
    at: int

    @property
    def program(self) -> str:
        """Its last part, "" for a variable: "docker", "dockerd", or what else starts the daemon."""
        path = self.words[0].text if self.name == EXEC and self.words else ""
        return PREFIX.sub("", path, count=1).rsplit("/", 1)[-1]

    @property
    def first(self) -> int:
        """The first word that is an option, or the verb."""
        has_name_argument = bool(self.program) and "@" in PREFIX.match(self.words[0].text)[0]  # type: ignore[index]
        return (2 if has_name_argument else 1) if self.program else 0

    @property
    def flags(self) -> tuple[Flag, ...]:
        return tuple(flags([word.text for word in self.words], self.first))

    @property
    def verb(self) -> int | None:
        """The word that makes a daemon of `docker`, as before 1.12 there was no dockerd; flags may stand before it."""
        if self.program != "docker":
            return None
        if self._plain:
            return self._plain[0] if self.words[self._plain[0]].text == "daemon" else None
        return next((flag.first for flag in self.flags if flag.name in ("d", "daemon")), None)

    @property
    def options(self) -> tuple[Word, ...]:
        """Its words without program and verb; () when another program makes something else of them."""
        if not (self.program in ("", "dockerd") or self.verb is not None or self._handed_on):
            return ()
        return tuple(word for at, word in enumerate(self.words) if at >= self.first and at != self.verb)

    @property
    def _plain(self) -> tuple[int, ...]:
        """The words that are neither options nor variables."""
        flag_positions = {at for flag in self.flags for at in range(flag.first, flag.last + 1)}
        after = range(self.first, len(self.words))
        return tuple(at for at in after if at not in flag_positions and self.words[at].text[:1] != "$")

    @property
    def _handed_on(self) -> bool:
        """A script in the daemon's place, which is given nothing but options, starts it with them."""
        return self.program != "docker" and not self._plain and not SHELL.fullmatch(self.program)


def is_unit(text: str) -> bool:
    return bool(re.search(r"^[ \t]*\[\w+\]", text, re.MULTILINE))


def commands(text: str) -> tuple[Command, ...]:
    """An empty ExecStart is one without words: it resets those before it."""
    if not is_unit(text):
        return tuple(_variable(place.name, place.value, place.start) for place in assignments(text))
    return tuple(command for place in directives(text) for command in _of_directive(place))


def _of_directive(entry: Entry) -> tuple[Command, ...]:
    if entry.name == EXEC:
        return (Command(EXEC, entry.value, words(entry.value, codes=True), entry.start),)
    if entry.name != "Environment":
        return ()
    pairs = [(word.text.partition("=")[0], word) for word in words(entry.value, codes=True) if "=" in word.text]
    return tuple(_variable(name, word.value[len(name) + 1 :], entry.start) for name, word in pairs)


def _variable(name: str, value: MappedText, at: int) -> Command:
    return Command(name, value, words(value, codes=False), at)
