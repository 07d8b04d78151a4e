"""Runs' streams as tests read and write them: sealed with the key that Imker's processes share."""

from pathlib import Path

from redis import Redis

from imker import signing
from imker.signing import Key
from jobs.contract import Body, Event, events_key, events_of

KEY = Key("k" * 64)


def events(redis: Redis, run: str, key: Key = KEY) -> tuple[Event, ...]:
    return events_of(run, redis.xrange(events_key(run)), key)  # type: ignore[arg-type]


def told(redis: Redis, run: str, key: Key = KEY, job: int | None = None) -> list[Body]:
    return [event.body for event in events(redis, run, key) if job in (None, event.job)]


def entry(run: str, text: str, key: Key = KEY) -> dict[str, str]:
    """An event's text, as the jobs would have sealed it."""
    return {"event": signing.seal(key, events_key(run), text)}


def kept_key(redis: Redis) -> Key:
    """That of processes which share an embedded server, from its folder."""
    socket = Path(redis.connection_pool.connection_kwargs["path"])
    return Key((socket.parent / "signing.key").read_text())
