"""What people said of a run that goes on: pause, resume, cancel. The newest word counts, by when it was said."""

from typing import Any

from redis import Redis

from bot.record import KEPT
from imker.signing import Key
from jobs.contract import Hold, hold_key, hold_of, sealed_hold

LATE = 30 * 60  # seconds after which nothing is delivered any more


def keep(redis: "Redis", key: Key, run: str, hold: Hold) -> None:
    """Words come late when a bot died over them. None is later than LATE: the clock was set back meanwhile."""
    said = _newest(redis, key, run)
    score = said[1] + 1 if said and said[1] - hold.at > LATE else hold.at
    redis.zadd(hold_key(run), {sealed_hold(run, hold, score, key): score})
    redis.expire(hold_key(run), KEPT)


def newest(redis: "Redis", key: Key, run: str) -> Hold | None:
    said = _newest(redis, key, run)
    return said[0] if said else None


def _newest(redis: "Redis", key: Key, run: str) -> tuple[Hold, float] | None:
    words: Any = redis.zrevrange(hold_key(run), 0, -1, withscores=True)
    return hold_of(run, words, key)
