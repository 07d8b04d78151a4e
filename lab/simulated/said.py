"""What a command on a simulated host says."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Said:
    code: int = 0
    out: str = ""
    err: str = ""
