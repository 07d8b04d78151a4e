"""The result of a command on a simulated host."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Output:
    """What a command prints. `lines`: of stderr, while it runs; `end`: returns its result after them."""

    exit_status: int = 0
    stdout: str = ""
    stderr: str = ""
    lines: Iterable[str] = ()
    end: "Callable[[], Output] | None" = None
