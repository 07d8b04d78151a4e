"""Count what is recorded once a minute and kind: the first at once, the others as a number in the next entry.

Kept by each bot itself: a bot that dies loses the numbers of its last two minutes, and no entry.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

WINDOW, MAX_NAMED = 60.0, 8  # seconds of one entry of a kind; people whom a number names


@dataclass
class _Kind:
    since: float
    number: int = 0
    people: dict[str, None] = field(default_factory=dict)

    def add(self, who: str) -> None:
        self.number += 1
        if len(self.people) < MAX_NAMED:
            self.people[who] = None

    def __str__(self) -> str:
        """Return "" for no more."""
        people = ", ".join(self.people)
        return f"{self.number} more since the last entry of this kind, of {people}" if self.number else ""


class Tally:
    """`clock`: seconds, monotonic."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kinds: dict[str, _Kind] = {}
        self._lock = threading.Lock()

    def count(self, kind: str, who: str) -> str | None:
        """Return None for one that is counted; for one that is due an entry, what was counted since the last."""
        with self._lock:
            known = self._kinds.get(kind)
            if known and self._clock() - known.since < WINDOW:
                known.add(who)
                return None
            self._kinds[kind] = _Kind(self._clock())
            return str(known or "")

    def pop_finished(self) -> dict[str, str]:
        """Take out the kinds of which no entry follows: each with what was counted since its last."""
        with self._lock:
            over = [kind for kind, known in self._kinds.items() if self._clock() - known.since >= 2 * WINDOW]
            counted = {kind: str(self._kinds.pop(kind)) for kind in over}
        return {kind: more for kind, more in counted.items() if more}
