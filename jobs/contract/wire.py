"""Messages as JSON and back. What is none of ours, or of another version, is refused in words."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import TypeAdapter

from jobs.contract.asked import Hold, Request
from jobs.contract.names import CONTRACT, UNDERSTOOD
from jobs.contract.told import Event, Unread

Message = TypeVar("Message", Request, Event)


@dataclass(frozen=True)
class Envelope:
    """What a message of any contract says of itself; `number` and `at` are an event's."""

    run: str
    job: int
    contract: int
    number: int = 0
    at: float = 0.0


_ENVELOPE: TypeAdapter[Envelope] = TypeAdapter(Envelope)
_REQUEST: TypeAdapter[Request] = TypeAdapter(Request)
_EVENT: TypeAdapter[Event] = TypeAdapter(Event)
HOLD: TypeAdapter[Hold] = TypeAdapter(Hold)


class UnknownContract(ValueError):
    """The other side speaks another contract, or it is no message of ours."""


def encode(message: Request | Event) -> str:
    """What cannot be written as UTF-8, such as a byte of a host's file, becomes U+FFFD."""
    adapter: TypeAdapter[Request] | TypeAdapter[Event] = _REQUEST if isinstance(message, Request) else _EVENT
    values = adapter.dump_python(message, mode="json")  # type: ignore[arg-type]
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def decode_request(text: str | bytes) -> Request:
    """Raises UnknownContract."""
    return _decode(_REQUEST, text)


def decode_event(text: str | bytes) -> Event:
    """Raises UnknownContract."""
    return _decode(_EVENT, text)


def events_of(entries: Iterable[tuple[Any, Mapping[Any, Any]]]) -> tuple[Event, ...]:
    """A stream's events; one of another contract is Unread, and an entry that is none of ours is passed over."""
    events = (_event(entry[b"event"]) for _, entry in entries if b"event" in entry)
    return tuple(event for event in events if event is not None)


def foreign(text: str | bytes) -> Envelope | None:
    """Of a message of another contract; None of what is none."""
    try:
        envelope = _ENVELOPE.validate_json(text)
    except (ValueError, TypeError):
        return None
    return None if envelope.contract in UNDERSTOOD else envelope


def _event(text: str | bytes) -> Event | None:
    try:
        return decode_event(text)
    except UnknownContract:
        envelope = foreign(text)
    if envelope is None:
        return None
    return Event(envelope.run, envelope.job, envelope.number, envelope.at, Unread(envelope.contract))


def _decode(adapter: TypeAdapter[Message], text: str | bytes) -> Message:
    try:
        message = adapter.validate_json(text)
    except (ValueError, TypeError) as wrong:
        raise UnknownContract("not a message of this contract") from wrong
    if message.contract not in UNDERSTOOD:
        raise UnknownContract(f"contract {message.contract}, this side speaks {CONTRACT}")
    return message
