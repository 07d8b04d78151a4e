"""Limit audit entries to one per minute and kind: the first is written, the others are counted in the next entry.

The counts are in memory. A bot that crashes loses the counts of its last two minutes, but no entry.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

WINDOW = 60.0  # seconds between two entries of a kind
MAX_NAMED = 8  # users that a count names


@dataclass
class _Kind:
    since: float
    number: int = 0
    users: dict[str, None] = field(default_factory=dict)

    def add(self, user: str) -> None:
        self.number += 1
        if len(self.users) < MAX_NAMED:
            self.users[user] = None

    def __str__(self) -> str:
        """Return the count as text, "" for zero."""
        return (
            f"{self.number} more since the last entry of this kind, by {', '.join(self.users)}" if self.number else ""
        )


class Tally:
    """Count entries by kind. `clock`: monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kinds: dict[str, _Kind] = {}
        self._lock = threading.Lock()

    def count(self, kind: str, user: str) -> str | None:
        """Return None if the entry is only counted; else, for an entry to be written, the count since the last one."""
        with self._lock:
            current = self._kinds.get(kind)
            if current and self._clock() - current.since < WINDOW:
                current.add(user)
                return None
            self._kinds[kind] = _Kind(self._clock())
            return str(current or "")

    def pop_finished(self) -> dict[str, str]:
        """Remove the kinds that got no entry for two windows, and return their counts."""
        with self._lock:
            finished = [kind for kind, counted in self._kinds.items() if self._clock() - counted.since >= 2 * WINDOW]
            counts = {kind: str(self._kinds.pop(kind)) for kind in finished}
        return {kind: count for kind, count in counts.items() if count}
