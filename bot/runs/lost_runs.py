"""Runs that are shown as lost because RQ says so, and until when each is looked at again. As Redis keeps them."""

from typing import Any

from redis import Redis

LOST_RUNS_KEY = "bot:lost"


class LostRuns:
    def __init__(self, redis: "Redis") -> None:
        self._redis = redis

    def add(self, run: str, until: float) -> None:
        """`until`: UNIX seconds."""
        self._redis.zadd(LOST_RUNS_KEY, {run: until})

    def all(self) -> list[tuple[str, float]]:
        kept: Any = self._redis.zrevrange(LOST_RUNS_KEY, 0, -1, withscores=True)
        return [(run.decode(errors="replace"), until) for run, until in kept]

    def remove(self, run: str) -> None:
        self._redis.zrem(LOST_RUNS_KEY, run)
