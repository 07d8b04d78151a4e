"""Define the Shell protocol: a Command in, an Output out. Pure.

`shell.run(sudo("docker", "start", name))`, `shell.run(command("date"))`, `shell.run(sudo(*script(TEXT, path)))`.
"""

import shlex
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

from jobs.errors import CommandFailed

LOSSLESS_ERRORS = "surrogateescape"  # keeps bytes that are not UTF-8


@dataclass(frozen=True)
class Command:
    """A command for a host. Create it with `command` or `sudo`.

    `sudo`: run as root, without a prompt; `check`: a non-zero exit status is an error; `timeout`: seconds;
    `wrapper`: a command that runs argv.
    """

    argv: tuple[str, ...]
    sudo: bool = False
    stdin: str = field(default="", repr=False)  # may hold secrets
    check: bool = True
    timeout: float = 60
    wrapper: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Return the program that errors name, whatever wraps it."""
        return self.argv[0]

    @property
    def words(self) -> tuple[str, ...]:
        """Return the command with its wrappers, without sudo."""
        return (*self.wrapper, *self.argv)

    @property
    def line(self) -> str:
        """Return the whole command, quoted for the host's shell."""
        return shlex.join((*(("sudo", "-n", "--") if self.sudo else ()), *self.words))

    def wrapped(self, *wrapper: str) -> "Command":
        """Return the command run by another one, as root if this one runs as root."""
        return replace(self, wrapper=(*wrapper, *self.wrapper))


def command(*argv: str, sudo: bool = False, stdin: str = "", check: bool = True, timeout: float = 60) -> Command:
    """Return the command. Its parameters are those of Command."""
    return Command(argv, sudo, stdin, check, timeout)


sudo = partial(command, sudo=True)  # a command that runs as root


def script(text: str, *arguments: str) -> tuple[str, ...]:
    """Return the argv that runs a script. Its arguments are $1, $2, and so on."""
    return ("sh", "-c", text, "imker", *arguments)


@dataclass(frozen=True)
class Output:
    """The result of a command. `raw`: stdout as bytes; in the texts, bytes that are not UTF-8 are replaced."""

    code: int
    stdout: str
    stderr: str
    raw: bytes | None = None

    @property
    def lossless_stdout(self) -> str:
        """Return stdout with a surrogate for each byte that is not UTF-8, for files that are written back."""
        return self.stdout if self.raw is None else self.raw.decode(errors=LOSSLESS_ERRORS)

    def check(self, host: str, command: Command) -> "Output":
        """Return the output. Raise CommandFailed if the exit status is an error for this command."""
        if self.code and command.check:
            raise CommandFailed(host, command.name, self.code, self.stderr or self.stdout)
        return self


class Shell(Protocol):
    """Run commands on one host."""

    @property
    def host(self) -> str: ...

    def run(self, command: Command) -> Output: ...

    def reconnect(self) -> None: ...
