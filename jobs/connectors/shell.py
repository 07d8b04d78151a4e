"""What a shell on a host is, whatever it goes over: argv in, Output out. Pure."""

from dataclasses import dataclass
from typing import Protocol

from jobs.errors import CommandFailed

LOSSLESS_ERRORS = "surrogateescape"  # how bytes that are no UTF-8 come through a text


@dataclass(frozen=True)
class Output:
    """`raw`: stdout as it came; in the texts, what is no UTF-8 is replaced."""

    code: int
    stdout: str
    stderr: str
    raw: bytes | None = None

    @property
    def lossless_stdout(self) -> str:
        """stdout with nothing replaced: a surrogate for each byte that is no UTF-8. For files that are written back."""
        return self.stdout if self.raw is None else self.raw.decode(errors=LOSSLESS_ERRORS)

    def check(self, host: str, command: str) -> "Output":
        """Raises CommandFailed on a bad exit."""
        if self.code:
            raise CommandFailed(host, command, self.code, self.stderr or self.stdout)
        return self


class Shell(Protocol):
    """Runs argv on one host. `sudo` runs it as root, without a password and without a prompt.

    `under`: the program that argv is run by; whatever fails is still told of argv.
    """

    @property
    def host(self) -> str: ...

    def run(
        self,
        *argv: str,
        sudo: bool = False,
        stdin: str = "",
        check: bool = True,
        timeout: float = 60,
        wrapper: tuple[str, ...] = (),
    ) -> Output: ...

    def reconnect(self) -> None: ...
