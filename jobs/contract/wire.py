"""Messages as JSON and back. What is none of ours, or of another version, is refused in words."""

import json
from dataclasses import dataclass
from typing import TypeVar

from pydantic import TypeAdapter

from jobs.contract.asked import Request
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


class UnknownContract(ValueError):
    """The other side speaks another contract, or it is no message of ours."""


def encode(message: Request | Event) -> str:
    """Half of a character, which JSON lets a host say and nobody can write, is a question mark."""
    adapter: TypeAdapter[Request] | TypeAdapter[Event] = _REQUEST if isinstance(message, Request) else _EVENT
    plain = adapter.dump_python(message)  # type: ignore[arg-type]
    return json.dumps(plain, ensure_ascii=False).encode(errors="replace").decode()


def decode_request(text: str | bytes) -> Request:
    """Raises UnknownContract."""
    return _decode(_REQUEST, text)


def decode_event(text: str | bytes) -> Event:
    """Raises UnknownContract."""
    return _decode(_EVENT, text)


def foreign(text: str | bytes) -> Envelope | None:
    """Of a message of another contract; None of what is none."""
    try:
        envelope = _ENVELOPE.validate_json(text)
    except (ValueError, TypeError):
        return None
    return None if envelope.contract in UNDERSTOOD else envelope


def event_of(text: str | bytes) -> Event | None:
    """Unread for one of another contract, None for what is no event."""
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
