"""What the stand-in does wrong on demand, as Slack now and then does. Values; the servers ask them."""

from dataclasses import dataclass
from typing import Literal, get_args

FaultKind = Literal["ratelimited", "server_error", "drop_reply", "latency", "away", "repeat", "late", "deaf"]


@dataclass
class Fault:
    """`method`: of the Web API, "response" for response URLs, "upload" for files' bytes, "socket" for Socket Mode, "*"

    for all; `times` left, -1 until it is cleared; `seconds`: Retry-After, the latency, or how late. Raises ValueError.
    """

    kind: FaultKind
    method: str = "*"
    times: int = 1
    seconds: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in get_args(FaultKind):
            raise ValueError(f"there is no fault {self.kind}, but {', '.join(get_args(FaultKind))}, disconnect, deafen")
        if not isinstance(self.times, int) or self.times == 0 or not self.seconds >= 0:
            raise ValueError("times is a number of times, or -1; seconds are 0 or more")


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
        """Whether it is set, without using it up."""
        return any(fault.kind == kind and fault.method in ("*", method) for fault in self._active)

    def consume(self, method: str, *kinds: FaultKind) -> Fault | None:
        """The first of these kinds that is set for the method; it counts as used."""
        for fault in self._active:
            if fault.kind in kinds and fault.method in ("*", method):
                fault.times -= 1
                if fault.times == 0:
                    self._active.remove(fault)
                return fault
        return None
