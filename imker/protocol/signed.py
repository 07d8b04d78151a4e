"""Decode events and holds from Redis, and sign holds.

Signatures are valid for one run and one place in Redis. Entries with an invalid signature are ignored and logged once.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from imker import signing
from imker.ignored_values import log_ignored, log_other_version
from imker.protocol.codec import UnsupportedVersion, decode_event, header_of_other_version
from imker.protocol.commands import Hold
from imker.protocol.event_log import EventLog, UnreadableEvent
from imker.protocol.events import Event
from imker.protocol.version import events_key, hold_key
from imker.signing import SigningKey

_HOLD_ADAPTER: TypeAdapter[Hold] = TypeAdapter(Hold)


def decode_signed_events(run: str, entries: Iterable[tuple[Any, Mapping[Any, Any]]], key: SigningKey) -> EventLog:
    """Decode a run's stream. `entries`: as XRANGE returns them."""
    decoded = [_decode_entry(events_key(run), str(number), entry.get(b"event"), key) for number, entry in entries]
    return EventLog(
        tuple(event for event in decoded if isinstance(event, Event)),
        tuple(event for event in decoded if isinstance(event, UnreadableEvent)),
        has_unsigned_entries=None in decoded,
    )


def sign_hold(run: str, hold: Hold, score: float, key: SigningKey) -> str:
    """Sign a hold for its score, so that an older hold cannot be made the latest."""
    return signing.sign_for(key, _hold_place(run, score), _HOLD_ADAPTER.dump_json(hold).decode())


def decode_latest_hold(
    run: str, signed_holds: Iterable[tuple[Any, float]], key: SigningKey
) -> tuple[Hold, float] | None:
    """Return the first valid hold and its score. `signed_holds`: with their scores, latest first."""
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


def _decode_entry(place: str, number: str, signed_event: object, key: SigningKey) -> Event | UnreadableEvent | None:
    """Decode one entry. Return None, and log it once, if it is not a signed event."""
    text = signing.open_signed(key, place, signed_event)
    event = None if text is None else _decode_event(text)
    if event is None:
        log_ignored(place, number)
    return event


def _decode_event(text: str) -> Event | UnreadableEvent | None:
    try:
        return decode_event(text)
    except UnsupportedVersion:
        header = header_of_other_version(text)
        return UnreadableEvent(header.job, header.protocol_version) if header else None


def _hold_place(run: str, score: float) -> str:
    return f"{hold_key(run)} {score!r}"
