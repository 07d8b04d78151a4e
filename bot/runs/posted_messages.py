"""What was posted, as Redis keeps it: where a run's message stands, and what of it Slack has.

Noted before each first try: whoever comes after a failure cannot know whether that try was heard. Each field is signed
for its place, so that nobody without the key can have a message left out.
"""

from typing import Any

from redis import Redis

from bot.records import RETENTION
from imker import signing
from imker.ignored_values import log_ignored
from imker.signing import SigningKey

CHECKPOINT_KEY = "audit:posted"


class PostedFields(dict[str, str]):
    """The fields that Imker wrote. `damaged`: whether there are others as well."""

    damaged = False

    def was_tried(self, what: str) -> bool:
        """Return whether a post may have been made before, so that it is looked up before it is made again."""
        return self.damaged or bool(self.get(what))


class PostedMessages:
    def __init__(self, redis: "Redis", key: SigningKey) -> None:
        self._redis = redis
        self._key = key

    def get(self, run: str) -> PostedFields:
        """ "ts" and "digest" of the run's message, and a key for each detail in its thread."""
        return self._read(_key(run))

    def update(self, run: str, **fields: str) -> None:
        self._write(_key(run), fields)
        self._redis.expire(_key(run), RETENTION)

    def clear_attempt(self, run: str) -> None:
        """Its first post was refused: there is nothing to look for before the next."""
        self._write(_key(run), {"tried": ""})

    def delete(self, run: str) -> None:
        self._redis.delete(_key(run))

    def checkpoint_state(self) -> PostedFields:
        """ "day": the last one that has not ended when looked at; "tried": the last whose head was to be posted."""
        return self._read(CHECKPOINT_KEY)

    def update_checkpoint(self, **fields: str) -> None:
        self._write(CHECKPOINT_KEY, fields)

    def _write(self, place: str, posted: dict[str, str]) -> None:
        mapping: Any = {name: signing.sign_for(self._key, f"{place} {name}", value) for name, value in posted.items()}
        self._redis.hset(place, mapping=mapping)

    def _read(self, place: str) -> PostedFields:
        kept: Any = self._redis.hgetall(place)
        marks = PostedFields()
        for field, sealed in kept.items():
            name = field.decode(errors="replace")
            value = signing.open_signed(self._key, f"{place} {name}", sealed)
            if value is None:
                log_ignored(f"{place} {name}", "what was posted")
                marks.damaged = True
            else:
                marks[name] = value
        return marks


def _key(run: str) -> str:
    return f"bot:run:{run}:posted"
