"""Faults that the fake Slack injects on demand, as they occur in the real one. Values only."""

from dataclasses import dataclass
from typing import Literal, get_args

FaultKind = Literal["ratelimited", "server_error", "drop_reply", "latency", "away", "repeat", "late", "deaf"]


@dataclass
class Fault:
    """A fault. Raises ValueError for invalid values.

    `method` is one of the Web API, "response" for response URLs, "upload" for file contents, "socket" for Socket Mode,
    or "*" for all. `times` are left, -1 until it is cleared. `seconds` is the Retry-After, the latency, or the delay.
    """

    kind: FaultKind
    method: str = "*"
    times: int = 1
    seconds: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in get_args(FaultKind):
            raise ValueError(f"no fault {self.kind}; faults: {', '.join(get_args(FaultKind))}, disconnect, deafen")
        if not isinstance(self.times, int) or self.times == 0 or not self.seconds >= 0:
            raise ValueError("times must be positive or -1, and seconds must not be negative")


class Faults:
    def __init__(self) -> None:
        self._active: list[Fault] = []

    def add(self, fault: Fault) -> None:
        self._active.append(fault)

    def clear(self) -> None:
        self._active.clear()

    def list_all(self) -> list[Fault]:
        return list(self._active)

    def is_active(self, method: str, kind: FaultKind) -> bool:
        """Return whether a fault is set, without consuming it."""
        return any(fault.kind == kind and fault.method in ("*", method) for fault in self._active)

    def consume(self, method: str, *kinds: FaultKind) -> Fault | None:
        """Return the first of these kinds that is set for the method, and count it as used."""
        for fault in self._active:
            if fault.kind in kinds and fault.method in ("*", method):
                fault.times -= 1
                if fault.times == 0:
                    self._active.remove(fault)
                return fault
        return None
