"""What people decided, as Redis keeps it: each answer sealed, in its place under the question, once and for good."""

from typing import TypeVar

from pydantic import TypeAdapter, ValidationError
from redis import Redis

from bot.records import RETENTION, Decision
from imker import signing
from imker.ignored_values import log_other_version
from imker.signing import SigningKey

Value = TypeVar("Value")
_DECISION: TypeAdapter[Decision] = TypeAdapter(Decision)


class TamperedRecord(Exception):
    """Redis holds a decision that Imker did not write, or that another key signed, or that answers something else."""


class WrittenByNewerVersion(TamperedRecord):
    """Redis holds what another version of Imker signed, and this one does not understand."""


def parse_stored(adapter: TypeAdapter[Value], place: str, text: str) -> Value:
    """Return the value of a signed text. Raises Newer; the log has that once."""
    try:
        return adapter.validate_json(text)
    except ValidationError as wrong:
        log_other_version(place)
        raise WrittenByNewerVersion(f"{place} was written by another version of Imker") from wrong


class DecisionStore:
    def __init__(self, redis: "Redis", key: SigningKey) -> None:
        self._redis = redis
        self._key = key

    def write_once(self, run: str, decision: Decision, place: int) -> Decision:
        """What holds at that place, counted from 1: this one, or whichever was there before. Raises Forged."""
        key = _key(run, decision.job, place)
        signed_text = signing.sign_for(self._key, key, _DECISION.dump_json(decision).decode())
        self._redis.set(key, signed_text, nx=True, ex=RETENTION)
        return self._read(key)

    def of_job(self, run: str, job: int) -> tuple[Decision, ...]:
        """All that was said to one question, in order. Raises Forged."""
        found_decisions: list[Decision] = []
        while self._redis.exists(key := _key(run, job, len(found_decisions) + 1)):
            found_decisions.append(self._read(key))
            if found_decisions[-1].choice != "accept":
                break
        return tuple(found_decisions)

    def _read(self, key: str) -> Decision:
        verified = signing.open_signed(self._key, key, self._redis.get(key))
        if verified is None:
            raise TamperedRecord(f"{key} was not written by Imker")
        return parse_stored(_DECISION, key, verified)


def _key(run: str, job: int, place: int) -> str:
    return f"bot:run:{run}:decision:{job}" + (f":{place}" if place > 1 else "")
