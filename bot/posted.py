"""What was posted, as Redis keeps it: where a run's message stands, and what of it Slack has.

Noted before each first try: whoever comes after a failure cannot know whether that try was heard.
"""

from typing import Any

from redis import Redis

from bot.record import KEPT

WITNESS = "audit:posted"


class Posted:
    def __init__(self, redis: "Redis") -> None:
        self._redis = redis

    def of(self, run: str) -> dict[str, str]:
        """ "ts", "channel", "digest" of the run's message, and a key for each detail in its thread."""
        return _read(self._redis.hgetall(_key(run)))

    def remember(self, run: str, **posted: str) -> None:
        mapping: Any = posted
        self._redis.hset(_key(run), mapping=mapping)
        self._redis.expire(_key(run), KEPT)

    def untried(self, run: str) -> None:
        """Its first post was refused: there is nothing to look for before the next."""
        self._redis.hdel(_key(run), "tried")

    def forget(self, run: str) -> None:
        self._redis.delete(_key(run))

    def witnessed(self) -> dict[str, str]:
        """ "day": the last one that has not ended when looked at; "tried": the last whose head was to be posted."""
        return _read(self._redis.hgetall(WITNESS))

    def remember_witness(self, **posted: str) -> None:
        mapping: Any = posted
        self._redis.hset(WITNESS, mapping=mapping)


def _read(kept: Any) -> dict[str, str]:
    return {key.decode(errors="replace"): value.decode(errors="replace") for key, value in kept.items()}


def _key(run: str) -> str:
    return f"bot:run:{run}:posted"
