"""Read a run's events and holds from Redis. Bot and jobs read them alike."""

from typing import Any

from redis import Redis

from imker.protocol.commands import Hold
from imker.protocol.event_log import EventLog
from imker.protocol.signed import decode_latest_hold, decode_signed_events
from imker.protocol.version import events_key, hold_key
from imker.signing import SigningKey


def read_event_log(redis: "Redis", key: SigningKey, run: str) -> EventLog:
    """Return all events of the run so far. Raises RedisError."""
    entries: Any = redis.xrange(events_key(run))
    return decode_signed_events(run, entries, key)


def read_latest_hold(redis: "Redis", key: SigningKey, run: str) -> tuple[Hold, float] | None:
    """Return the run's latest pause, resume, or cancel with its score. Raises RedisError."""
    entries: Any = redis.zrevrange(hold_key(run), 0, -1, withscores=True)
    return decode_latest_hold(run, entries, key)
