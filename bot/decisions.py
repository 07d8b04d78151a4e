"""What people decided, as Redis keeps it: each answer sealed, in its place under the question, once and for good."""

from typing import TypeVar

from pydantic import TypeAdapter, ValidationError
from redis import Redis

from bot.record import KEPT, Decision
from imker import signing
from imker.forgery import unreadable
from imker.signing import Key

Value = TypeVar("Value")
_DECISION: TypeAdapter[Decision] = TypeAdapter(Decision)


class Forged(Exception):
    """Redis holds a decision that Imker did not write, or that another key signed, or that answers something else."""


class Newer(Forged):
    """Redis holds what another version of Imker signed, and this one does not understand."""


def understood(adapter: TypeAdapter[Value], place: str, text: str) -> Value:
    """Return the value of a signed text. Raises Newer; the log has that once."""
    try:
        return adapter.validate_json(text)
    except ValidationError as wrong:
        unreadable(place)
        raise Newer(f"{place} was written by another version of Imker") from wrong


class Decisions:
    def __init__(self, redis: "Redis", key: Key) -> None:
        self._redis = redis
        self._key = key

    def keep(self, run: str, decision: Decision, place: int) -> Decision:
        """What holds at that place, counted from 1: this one, or whichever was there before. Raises Forged."""
        key = _key(run, decision.job, place)
        sealed = signing.seal(self._key, key, _DECISION.dump_json(decision).decode())
        self._redis.set(key, sealed, nx=True, ex=KEPT)
        return self._read(key)

    def made(self, run: str, job: int) -> tuple[Decision, ...]:
        """All that was said to one question, in order. Raises Forged."""
        made: list[Decision] = []
        while self._redis.exists(key := _key(run, job, len(made) + 1)):
            made.append(self._read(key))
            if made[-1].verdict != "accept":
                break
        return tuple(made)

    def _read(self, key: str) -> Decision:
        kept = signing.opened(self._key, key, self._redis.get(key))
        if kept is None:
            raise Forged(f"{key} was not written by Imker")
        return understood(_DECISION, key, kept)


def _key(run: str, job: int, place: int) -> str:
    return f"bot:run:{run}:decision:{job}" + (f":{place}" if place > 1 else "")
