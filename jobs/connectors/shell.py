"""Define the Shell protocol: argv in, Output out. Pure."""

from dataclasses import dataclass
from typing import Protocol

from jobs.errors import CommandFailed

LOSSLESS_ERRORS = "surrogateescape"  # keeps bytes that are not UTF-8


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

    def check(self, host: str, command: str) -> "Output":
        """Return the output. Raise CommandFailed for a non-zero exit status."""
        if self.code:
            raise CommandFailed(host, command, self.code, self.stderr or self.stdout)
        return self


class Shell(Protocol):
    """Run argv on one host. `sudo`: as root, without a prompt; `timeout`: seconds.

    `wrapper`: a command that runs argv; errors still name argv.
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
