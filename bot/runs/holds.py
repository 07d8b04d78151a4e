"""What people said of a run that goes on: pause, resume, cancel. The newest word counts, by when it was said."""

from typing import Any

from redis import Redis

from bot.records import RETENTION
from imker.protocol.commands import Hold
from imker.protocol.signed import decode_latest_hold, sign_hold
from imker.protocol.version import hold_key
from imker.signing import SigningKey

CLOCK_TOLERANCE = 30 * 60  # seconds after which nothing is delivered any more


def add(redis: "Redis", key: SigningKey, run: str, hold: Hold) -> None:
    """Words come late when a bot died over them. None is later than LATE: the clock was set back meanwhile."""
    current = _newest(redis, key, run)
    score = current[1] + 1 if current and current[1] - hold.requested_at > CLOCK_TOLERANCE else hold.requested_at
    redis.zadd(hold_key(run), {sign_hold(run, hold, score, key): score})
    redis.expire(hold_key(run), RETENTION)


def current(redis: "Redis", key: SigningKey, run: str) -> Hold | None:
    latest = _newest(redis, key, run)
    return latest[0] if latest else None


def _newest(redis: "Redis", key: SigningKey, run: str) -> tuple[Hold, float] | None:
    words: Any = redis.zrevrange(hold_key(run), 0, -1, withscores=True)
    return decode_latest_hold(run, words, key)
