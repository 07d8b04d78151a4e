"""How much one person may ask within a minute: what is more is not even written down. Kept by the bot itself."""

import threading
import time
from collections.abc import Callable
from typing import Literal

WINDOW = 60.0  # seconds
Verdict = Literal["taken", "first", "further"]  # the first one too many of a minute, and those after it


class RateLimiter:
    """`most`: of one person's commands and clicks, by whichever ways; `clock`: seconds, monotonic."""

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.most = limit
        self._clock = clock
        self._accepted_at: dict[str, list[float]] = {}
        self._refused_at: dict[str, float] = {}
        self._lock = threading.Lock()

    def check(self, user: str) -> Verdict:
        now = self._clock()
        with self._lock:
            recent = [at for at in self._accepted_at.get(user, ()) if now - at < WINDOW]
            self._accepted_at[user] = recent
            if len(recent) < self.most:
                recent.append(now)
                return "taken"
            if now - self._refused_at.get(user, now - WINDOW) < WINDOW:
                return "further"
            self._refused_at[user] = now
            return "first"
