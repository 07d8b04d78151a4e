"""Ask questions in a terminal. What other machines say is printed without control characters."""

import getpass
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from imker.text import strip_control
from imker_cli.init.answers.model import AnswerError

with suppress(ImportError):  # a Python without it reads lines, too
    import readline  # noqa: F401 (lets `input` edit a line)

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Terminal:
    """The terminal: how to read a line, how to read one without showing it, and how to print one."""

    read: Callable[[str], str] = input
    read_hidden: Callable[[str], str] = getpass.getpass
    write: Callable[[str], object] = print

    def say(self, text: str = "") -> None:
        """Print a text."""
        self.write(strip_control(text))

    def ask(
        self, question: str, parse: Callable[[str], Answer], default: str = "", *, is_hidden: bool = False
    ) -> Answer:
        """Ask until the answer can be used, and return what `parse` makes of it. `default`: for an empty answer."""
        suffix = f" [{default}]" if default else ""
        prompt = strip_control(f"{question}{suffix}: ")
        while True:
            text = (self.read_hidden if is_hidden else self.read)(prompt).strip()
            try:
                return parse(text or default)
            except AnswerError as error:
                self.say(f"  {error}")


def parse_yes(text: str) -> bool:
    """Return whether the answer is yes. Raise AnswerError if it is neither yes nor no."""
    if text.lower() in ("y", "yes"):
        return True
    if text.lower() in ("n", "no"):
        return False
    raise AnswerError("Type yes or no.")
