"""What the stand-in does wrong on demand, as Slack now and then does. Values; the servers ask them."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["ratelimited", "server_error", "drop_reply", "latency", "away", "repeat", "late", "deaf"]


@dataclass
class Fault:
    """`method`: of the Web API, "*" for all, "socket" for envelopes; `times` left, -1 until it is cleared;
    `seconds`: Retry-After, the latency, or how late."""

    kind: Kind
    method: str = "*"
    times: int = 1
    seconds: float = 1.0


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
