"""What was posted, as Redis keeps it: where a run's message stands, and what of it Slack has.

Noted before each first try: whoever comes after a failure cannot know whether that try was heard. Each field is signed
for its place, so that nobody without the key can have a message left out.
"""

from typing import Any

from redis import Redis

from bot.record import KEPT
from imker import signing
from imker.forgery import passed_over
from imker.signing import Key

WITNESS = "audit:posted"


class Marks(dict[str, str]):
    """The fields that Imker wrote. `damaged`: whether there are others as well."""

    damaged = False

    def tried(self, what: str) -> bool:
        """Return whether a post may have been made before, so that it is looked up before it is made again."""
        return self.damaged or bool(self.get(what))


class Posted:
    def __init__(self, redis: "Redis", key: Key) -> None:
        self._redis = redis
        self._key = key

    def of(self, run: str) -> Marks:
        """ "ts" and "digest" of the run's message, and a key for each detail in its thread."""
        return self._read(_key(run))

    def remember(self, run: str, **posted: str) -> None:
        self._write(_key(run), posted)
        self._redis.expire(_key(run), KEPT)

    def untried(self, run: str) -> None:
        """Its first post was refused: there is nothing to look for before the next."""
        self._write(_key(run), {"tried": ""})

    def forget(self, run: str) -> None:
        self._redis.delete(_key(run))

    def witnessed(self) -> Marks:
        """ "day": the last one that has not ended when looked at; "tried": the last whose head was to be posted."""
        return self._read(WITNESS)

    def remember_witness(self, **posted: str) -> None:
        self._write(WITNESS, posted)

    def _write(self, place: str, posted: dict[str, str]) -> None:
        mapping: Any = {name: signing.seal(self._key, f"{place} {name}", value) for name, value in posted.items()}
        self._redis.hset(place, mapping=mapping)

    def _read(self, place: str) -> Marks:
        kept: Any = self._redis.hgetall(place)
        marks = Marks()
        for field, sealed in kept.items():
            name = field.decode(errors="replace")
            value = signing.opened(self._key, f"{place} {name}", sealed)
            if value is None:
                passed_over(f"{place} {name}", "what was posted")
                marks.damaged = True
            else:
                marks[name] = value
        return marks


def _key(run: str) -> str:
    return f"bot:run:{run}:posted"
