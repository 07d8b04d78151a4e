"""Messages as JSON and back. What is none of ours, or of another version, is refused in words."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import TypeAdapter

from jobs.contract.asked import Hold, Request
from jobs.contract.names import CONTRACT
from jobs.contract.told import Event

Message = TypeVar("Message", Request, Event)
_REQUEST: TypeAdapter[Request] = TypeAdapter(Request)
_EVENT: TypeAdapter[Event] = TypeAdapter(Event)
HOLD: TypeAdapter[Hold] = TypeAdapter(Hold)


class UnknownContract(ValueError):
    """The other side speaks a newer contract, or it is no message of ours."""


def encode(message: Request | Event) -> str:
    adapter: TypeAdapter[Request] | TypeAdapter[Event] = _REQUEST if isinstance(message, Request) else _EVENT
    return adapter.dump_json(message).decode()  # type: ignore[arg-type]


def decode_request(text: str | bytes) -> Request:
    """Raises UnknownContract."""
    return _decode(_REQUEST, text)


def decode_event(text: str | bytes) -> Event:
    """Raises UnknownContract."""
    return _decode(_EVENT, text)


def events_of(entries: Iterable[tuple[Any, Mapping[Any, Any]]]) -> tuple[Event, ...]:
    """A stream's events; an entry that is none of ours is passed over."""
    events = []
    for _, entry in entries:
        try:
            events.append(decode_event(entry[b"event"]))
        except (KeyError, UnknownContract):
            continue
    return tuple(events)


def _decode(adapter: TypeAdapter[Message], text: str | bytes) -> Message:
    try:
        message = adapter.validate_json(text)
    except (ValueError, TypeError) as wrong:
        raise UnknownContract("not a message of this contract") from wrong
    if message.contract != CONTRACT:
        raise UnknownContract(f"contract {message.contract}, this side speaks {CONTRACT}")
    return message
