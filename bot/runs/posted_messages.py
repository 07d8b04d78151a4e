"""Store where each run's message is in Slack, and which parts of it were posted.

An attempt is recorded before each first post, because a process that continues after a crash cannot know whether Slack
received it. Each field is signed for its place, so that a message cannot be suppressed without the key.
"""

from typing import Any

from redis import Redis

from bot.records import RETENTION
from imker import signing
from imker.ignored_values import log_ignored
from imker.signing import SigningKey

CHECKPOINT_KEY = "audit:posted"


class PostedFields(dict[str, str]):
    """Fields with a valid signature. `damaged` is true if others were found as well."""

    damaged = False

    def was_tried(self, what: str) -> bool:
        """Return whether this may have been posted already. Look it up in Slack before posting it again."""
        return self.damaged or bool(self.get(what))


class PostedMessages:
    """Read and write what was posted."""

    def __init__(self, redis: "Redis", key: SigningKey) -> None:
        self._redis = redis
        self._key = key

    def get(self, run: str) -> PostedFields:
        """Return "ts" and "digest" of the run's message, and one field for each detail in its thread."""
        return self._read(_posted_key(run))

    def update(self, run: str, **fields: str) -> None:
        """Write these fields of the run and keep the others."""
        self._write(_posted_key(run), fields)
        self._redis.expire(_posted_key(run), RETENTION)

    def save(self, run: str, fields: PostedFields, /, **changed: str) -> None:
        """Write these fields of the run, to Redis and into `fields`, which were read before."""
        self.update(run, **changed)
        fields.update(changed)

    def delete(self, run: str) -> None:
        """Forget the run's message, so that it is posted again."""
        self._redis.delete(_posted_key(run))

    def checkpoint_state(self) -> PostedFields:
        """Return "day" (the latest day seen unfinished) and "tried" (the latest day whose checkpoint was tried)."""
        return self._read(CHECKPOINT_KEY)

    def update_checkpoint(self, **fields: str) -> None:
        """Write these fields of the checkpoint state and keep the others."""
        self._write(CHECKPOINT_KEY, fields)

    def _write(self, place: str, fields: dict[str, str]) -> None:
        mapping: Any = {name: signing.sign_for(self._key, f"{place} {name}", value) for name, value in fields.items()}
        self._redis.hset(place, mapping=mapping)

    def _read(self, place: str) -> PostedFields:
        stored: Any = self._redis.hgetall(place)
        fields = PostedFields()
        for field, signed_value in stored.items():
            name = field.decode(errors="replace")
            value = signing.open_signed(self._key, f"{place} {name}", signed_value)
            if value is None:
                log_ignored(f"{place} {name}", "what was posted")
                fields.damaged = True
            else:
                fields[name] = value
        return fields


def _posted_key(run: str) -> str:
    return f"bot:run:{run}:posted"
