"""Store where each run's message is in Slack, and which parts of it were posted.

An attempt is recorded before each first post, because a process that continues after a crash cannot know whether Slack
received it. Each field is signed for its place, so that a message cannot be suppressed without the key.
"""

from collections.abc import Iterable
from typing import Any

from redis import Redis

from bot.records import RETENTION
from imker import signing
from imker.ignored_values import log_ignored
from imker.signing import SigningKey

CHECKPOINT_KEY = "audit:posted"
WELCOMED_KEY = "bot:welcomed"
WATCH_KEY = "bot:watch:posted"
SHOWN = "shown"  # the field with the user who posted a private answer to the channel


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
        """Return "ts", "digest" and "link" of the run's message, and fields for each detail and alert in its thread."""
        return self._read(_posted_key(run))

    def update(self, run: str, **fields: str) -> None:
        """Write these fields of the run and keep the others."""
        self._write(_posted_key(run), fields)
        self._redis.expire(_posted_key(run), RETENTION)

    def save(self, run: str, fields: PostedFields, /, **changed: str) -> None:
        """Write these fields of the run, to Redis and into `fields`, which were read before."""
        self.update(run, **changed)
        fields.update(changed)

    def links(self, runs: Iterable[str]) -> dict[str, str]:
        """Return the permalinks of those runs' messages that are known, by run."""
        names = list(runs)
        with self._redis.pipeline(transaction=False) as pipe:
            for run in names:
                pipe.hgetall(_posted_key(run))
            by_run = dict(zip(names, pipe.execute(), strict=True))
        links = {run: self._open(_posted_key(run), stored).get("link") for run, stored in by_run.items()}
        return {run: link for run, link in links.items() if link}

    def delete(self, run: str) -> None:
        """Forget the run's message, so that it is posted again."""
        self._redis.delete(_posted_key(run))

    def checkpoint_state(self) -> PostedFields:
        """Return "day" (the latest day seen unfinished) and "tried" (the latest day whose checkpoint was tried)."""
        return self._read(CHECKPOINT_KEY)

    def update_checkpoint(self, **fields: str) -> None:
        """Write these fields of the checkpoint state and keep the others."""
        self._write(CHECKPOINT_KEY, fields)

    def welcomed(self) -> PostedFields:
        """Return the ts of each channel's welcome, by channel."""
        return self._read(WELCOMED_KEY)

    def update_welcomed(self, **fields: str) -> None:
        """Write these fields of the welcomes and keep the others."""
        self._write(WELCOMED_KEY, fields)

    def watched(self) -> PostedFields:
        """Return the ts and the digest of each message of the watch, and of each reply in its thread."""
        return self._read(WATCH_KEY)

    def update_watched(self, **fields: str) -> None:
        """Write these fields of the watch and keep the others."""
        self._write(WATCH_KEY, fields)

    def forget_watched(self, *fields: str) -> None:
        """Remove the fields of messages that the watch no longer edits."""
        self._redis.hdel(WATCH_KEY, *fields)

    def _write(self, place: str, fields: dict[str, str]) -> None:
        mapping: Any = {name: signing.sign_for(self._key, f"{place} {name}", value) for name, value in fields.items()}
        self._redis.hset(place, mapping=mapping)

    def _read(self, place: str) -> PostedFields:
        return self._open(place, self._redis.hgetall(place))

    def _open(self, place: str, stored: Any) -> PostedFields:
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
