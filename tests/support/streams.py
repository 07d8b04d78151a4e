"""Read and write the event streams of runs, signed with the key of Imker's processes."""

from pathlib import Path

from redis import Redis

from imker import signing
from imker.protocol.events import Event, EventBody
from imker.protocol.version import events_key
from imker.run_streams import read_event_log
from imker.signing import SigningKey

KEY = SigningKey("k" * 64)


def read_events(redis: Redis, run: str, key: SigningKey = KEY) -> tuple[Event, ...]:
    return read_event_log(redis, key, run).events


def event_bodies(redis: Redis, run: str, key: SigningKey = KEY, job: int | None = None) -> list[EventBody]:
    return [event.body for event in read_events(redis, run, key) if job in (None, event.job)]


def signed_entry(run: str, text: str, key: SigningKey = KEY) -> dict[str, str]:
    """Return a stream entry with an event as the jobs sign it."""
    return {"event": signing.sign_for(key, events_key(run), text)}


def embedded_signing_key(redis: Redis) -> SigningKey:
    """Return the signing key of the processes that share this embedded server."""
    socket = Path(redis.connection_pool.connection_kwargs["path"])
    return SigningKey((socket.parent / "signing.key").read_text())
