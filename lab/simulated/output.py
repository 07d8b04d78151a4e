"""The result of a command on a simulated host."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Output:
    exit_status: int = 0
    stdout: str = ""
    stderr: str = ""
