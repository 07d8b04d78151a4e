"""Messages as JSON and back. What is none of ours, or of another version, is refused in words."""

import json
from dataclasses import dataclass
from typing import TypeVar

from pydantic import TypeAdapter

from imker.protocol.commands import Request
from imker.protocol.events import Event, OtherVersion
from imker.protocol.version import PROTOCOL_VERSION, SUPPORTED_VERSIONS

Message = TypeVar("Message", Request, Event)


@dataclass(frozen=True)
class MessageHeader:
    """What a message of any contract says of itself; `number` and `at` are an event's."""

    run: str
    job: int
    protocol_version: int
    number: int = 0
    at: float = 0.0


_HEADER_ADAPTER: TypeAdapter[MessageHeader] = TypeAdapter(MessageHeader)
_REQUEST_ADAPTER: TypeAdapter[Request] = TypeAdapter(Request)
_EVENT_ADAPTER: TypeAdapter[Event] = TypeAdapter(Event)


class UnsupportedVersion(ValueError):
    """The other side speaks another contract, or it is no message of ours."""


def encode_message(message: Request | Event) -> str:
    """Half of a character, which JSON lets a host say and nobody can write, is a question mark."""
    adapter: TypeAdapter[Request] | TypeAdapter[Event] = (
        _REQUEST_ADAPTER if isinstance(message, Request) else _EVENT_ADAPTER
    )
    plain = adapter.dump_python(message)  # type: ignore[arg-type]
    return json.dumps(plain, ensure_ascii=False).encode(errors="replace").decode()


def decode_request(text: str | bytes) -> Request:
    """Raises UnknownContract."""
    return _decode(_REQUEST_ADAPTER, text)


def decode_event(text: str | bytes) -> Event:
    """Raises UnknownContract."""
    return _decode(_EVENT_ADAPTER, text)


def header_of_other_version(text: str | bytes) -> MessageHeader | None:
    """Of a message of another contract; None of what is none."""
    try:
        envelope = _HEADER_ADAPTER.validate_json(text)
    except (ValueError, TypeError):
        return None
    return None if envelope.protocol_version in SUPPORTED_VERSIONS else envelope


def decode_event_or_marker(text: str | bytes) -> Event | None:
    """Unread for one of another contract, None for what is no event."""
    try:
        return decode_event(text)
    except UnsupportedVersion:
        envelope = header_of_other_version(text)
    if envelope is None:
        return None
    return Event(envelope.run, envelope.job, envelope.number, envelope.at, OtherVersion(envelope.protocol_version))


def _decode(adapter: TypeAdapter[Message], text: str | bytes) -> Message:
    try:
        message = adapter.validate_json(text)
    except (ValueError, TypeError) as error:
        raise UnsupportedVersion("not a message of this contract") from error
    if message.protocol_version not in SUPPORTED_VERSIONS:
        raise UnsupportedVersion(f"contract {message.protocol_version}, this side speaks {PROTOCOL_VERSION}")
    return message
