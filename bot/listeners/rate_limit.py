"""Per-user rate limit over a sliding minute, in memory. Requests over the limit are not persisted."""

import threading
import time
from collections.abc import Callable
from typing import Literal

WINDOW = 60.0  # seconds
Verdict = Literal["allowed", "first", "further"]  # the first refused request of a minute, and those after it


class RateLimiter:
    """`limit`: commands and clicks of one user in a window; `clock`: monotonic seconds."""

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit = limit
        self._clock = clock
        self._accepted_at: dict[str, list[float]] = {}
        self._refused_at: dict[str, float] = {}
        self._lock = threading.Lock()

    def check(self, user: str) -> Verdict:
        """Count a request of this user and return whether it is allowed."""
        now = self._clock()
        with self._lock:
            recent = [at for at in self._accepted_at.get(user, ()) if now - at < WINDOW]
            self._accepted_at[user] = recent
            if len(recent) < self.limit:
                recent.append(now)
                return "allowed"
            if now - self._refused_at.get(user, now - WINDOW) < WINDOW:
                return "further"
            self._refused_at[user] = now
            return "first"
