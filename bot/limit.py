"""How much one person may ask within a minute: what is more is not even written down. Kept by the bot itself."""

import threading
import time
from collections.abc import Callable
from typing import Literal

WITHIN = 60.0  # seconds
Judged = Literal["taken", "first", "further"]  # the first one too many of a minute, and those after it


class Limit:
    """`most`: of one person's commands and clicks, by whichever ways; `clock`: seconds, monotonic."""

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.most = most
        self._clock = clock
        self._taken: dict[str, list[float]] = {}
        self._told: dict[str, float] = {}
        self._lock = threading.Lock()

    def judge(self, user: str) -> Judged:
        now = self._clock()
        with self._lock:
            recent = [at for at in self._taken.get(user, ()) if now - at < WITHIN]
            self._taken[user] = recent
            if len(recent) < self.most:
                recent.append(now)
                return "taken"
            if now - self._told.get(user, now - WITHIN) < WITHIN:
                return "further"
            self._told[user] = now
            return "first"
