"""Store decisions in Redis: signed, write-once, in numbered slots per question."""

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
    """Redis holds a decision with an invalid signature, or one on a different question."""


class WrittenByNewerVersion(TamperedRecord):
    """Redis holds a value with a valid signature that this version of Imker cannot parse."""


def parse_stored(adapter: TypeAdapter[Value], place: str, text: str) -> Value:
    """Parse a value whose signature was verified.

    Raises WrittenByNewerVersion, and logs that once per Redis key.
    """
    try:
        return adapter.validate_json(text)
    except ValidationError as error:
        log_other_version(place)
        raise WrittenByNewerVersion(f"{place} was written by another version of Imker") from error


class DecisionStore:
    """Read and write decisions."""

    def __init__(self, redis: "Redis", key: SigningKey) -> None:
        self._redis = redis
        self._key = key

    def write_once(self, run: str, decision: Decision, slot: int) -> Decision:
        """Write the decision into the slot unless it is taken, and return what the slot holds.

        Slots count from 1. Raises TamperedRecord.
        """
        place = slot_key(run, decision.job, slot)
        signed_text = signing.sign_for(self._key, place, _DECISION.dump_json(decision).decode())
        self._redis.set(place, signed_text, nx=True, ex=RETENTION)
        return self.parse(place, self._redis.get(place))

    def parse(self, place: str, stored: object) -> Decision:
        """Verify and parse what the slot's key holds. Raises TamperedRecord."""
        verified = signing.open_signed(self._key, place, stored)
        if verified is None:
            raise TamperedRecord(f"{place} has an invalid signature")
        return parse_stored(_DECISION, place, verified)


def slot_key(run: str, job: int, slot: int) -> str:
    """Return the key of a slot for a decision on this job's question. Slots count from 1."""
    return f"bot:run:{run}:decision:{job}" + (f":{slot}" if slot > 1 else "")
