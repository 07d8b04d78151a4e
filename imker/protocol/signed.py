"""Events and Holds as they stand in Redis: sealed by who told them, for the run and the place they stand in.

In: what Redis holds, and the key. Out: values. What does not open was written by somebody else: whatever it says is
passed over, and the log says so once.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from imker import signing
from imker.ignored_values import log_ignored, log_other_version
from imker.protocol.codec import decode_event_or_marker
from imker.protocol.commands import Hold
from imker.protocol.events import Event, UnsignedEntry
from imker.protocol.version import events_key, hold_key
from imker.signing import SigningKey

_HOLD_ADAPTER: TypeAdapter[Hold] = TypeAdapter(Hold)


def decode_signed_events(
    run: str, entries: Iterable[tuple[Any, Mapping[Any, Any]]], key: SigningKey
) -> tuple[Event, ...]:
    """A run's stream; an event of another contract is Unread, and all that does not open is one Unsealed of no job."""
    decoded = [_decode_entry(events_key(run), str(number), entry.get(b"event"), key) for number, entry in entries]
    events = tuple(event for event in decoded if event is not None)
    return events if len(events) == len(decoded) else (Event(run, 0, 0, 0.0, UnsignedEntry()), *events)


def sign_hold(run: str, hold: Hold, score: float, key: SigningKey) -> str:
    """Good at that score alone: an older word cannot be made the newest."""
    return signing.sign_for(key, _hold_place(run, score), _HOLD_ADAPTER.dump_json(hold).decode())


def decode_latest_hold(
    run: str, signed_holds: Iterable[tuple[Any, float]], key: SigningKey
) -> tuple[Hold, float] | None:
    """The first that opens, and its score. `words`: with their scores, the newest first."""
    for signed_hold, score in signed_holds:
        text = signing.open_signed(key, place := _hold_place(run, score), signed_hold)
        if text is None:
            log_ignored(place, "a hold")
            continue
        try:
            return _HOLD_ADAPTER.validate_json(text), score
        except ValidationError:
            log_other_version(place)
    return None


def _decode_entry(place: str, number: str, signed_event: object, key: SigningKey) -> Event | None:
    text = signing.open_signed(key, place, signed_event)
    event = None if text is None else decode_event_or_marker(text)
    if event is None:
        log_ignored(place, number)
    return event


def _hold_place(run: str, score: float) -> str:
    return f"{hold_key(run)} {score!r}"
