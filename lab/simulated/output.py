"""What a command on a simulated host says."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Output:
    exit_status: int = 0
    stdout: str = ""
    stderr: str = ""
