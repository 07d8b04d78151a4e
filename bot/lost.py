"""Runs that are shown as lost because RQ says so, and until when each is looked at again. As Redis keeps them."""

from typing import Any

from redis import Redis

LOST = "bot:lost"


class Lost:
    def __init__(self, redis: "Redis") -> None:
        self._redis = redis

    def keep(self, run: str, until: float) -> None:
        """`until`: UNIX seconds."""
        self._redis.zadd(LOST, {run: until})

    def kept(self) -> list[tuple[str, float]]:
        kept: Any = self._redis.zrevrange(LOST, 0, -1, withscores=True)
        return [(run.decode(errors="replace"), until) for run, until in kept]

    def forget(self, run: str) -> None:
        self._redis.zrem(LOST, run)
