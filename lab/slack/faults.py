"""What the stand-in does wrong on demand, as Slack now and then does. Values; the servers ask them."""

from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal["ratelimited", "server_error", "drop_reply", "latency", "away", "repeat", "late", "deaf"]


@dataclass
class Fault:
    """`method`: of the Web API, "response" for response URLs, "upload" for files' bytes, "socket" for Socket Mode, "*"

    for all; `times` left, -1 until it is cleared; `seconds`: Retry-After, the latency, or how late. Raises ValueError.
    """

    kind: Kind
    method: str = "*"
    times: int = 1
    seconds: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"there is no fault {self.kind}, but {', '.join(get_args(Kind))}, disconnect, deafen")
        if not isinstance(self.times, int) or self.times == 0 or not self.seconds >= 0:
            raise ValueError("times is a number of times, or -1; seconds are 0 or more")


class Faults:
    def __init__(self) -> None:
        self._set: list[Fault] = []

    def add(self, fault: Fault) -> None:
        self._set.append(fault)

    def clear(self) -> None:
        self._set.clear()

    def all(self) -> list[Fault]:
        return list(self._set)

    def on(self, method: str, kind: Kind) -> bool:
        """Whether it is set, without using it up."""
        return any(fault.kind == kind and fault.method in ("*", method) for fault in self._set)

    def take(self, method: str, *kinds: Kind) -> Fault | None:
        """The first of these kinds that is set for the method; it counts as used."""
        for fault in self._set:
            if fault.kind in kinds and fault.method in ("*", method):
                fault.times -= 1
                if fault.times == 0:
                    self._set.remove(fault)
                return fault
        return None
