"""Events and Holds as they stand in Redis: sealed by who told them, for the run and the place they stand in.

In: what Redis holds, and the key. Out: values. What does not open was written by somebody else: whatever it says is
passed over, and the log says so once.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from imker import signing
from imker.forgery import passed_over, unreadable
from imker.signing import Key
from jobs.contract.asked import Hold
from jobs.contract.names import events_key, hold_key
from jobs.contract.told import Event, Unsealed
from jobs.contract.wire import event_of

_HOLD: TypeAdapter[Hold] = TypeAdapter(Hold)


def events_of(run: str, entries: Iterable[tuple[Any, Mapping[Any, Any]]], key: Key) -> tuple[Event, ...]:
    """A run's stream; an event of another contract is Unread, and all that does not open is one Unsealed of no job."""
    opened = [_event(events_key(run), str(number), entry.get(b"event"), key) for number, entry in entries]
    events = tuple(event for event in opened if event is not None)
    return events if len(events) == len(opened) else (Event(run, 0, 0, 0.0, Unsealed()), *events)


def sealed_hold(run: str, hold: Hold, score: float, key: Key) -> str:
    """Good at that score alone: an older word cannot be made the newest."""
    return signing.seal(key, _place(run, score), _HOLD.dump_json(hold).decode())


def hold_of(run: str, words: Iterable[tuple[Any, float]], key: Key) -> tuple[Hold, float] | None:
    """The first that opens, and its score. `words`: with their scores, the newest first."""
    for sealed, score in words:
        text = signing.opened(key, place := _place(run, score), sealed)
        if text is None:
            passed_over(place, "a hold")
            continue
        try:
            return _HOLD.validate_json(text), score
        except ValidationError:
            unreadable(place)
    return None


def _event(place: str, number: str, sealed: object, key: Key) -> Event | None:
    text = signing.opened(key, place, sealed)
    event = None if text is None else event_of(text)
    if event is None:
        passed_over(place, number)
    return event


def _place(run: str, score: float) -> str:
    return f"{hold_key(run)} {score!r}"
