"""Encode messages as JSON and decode them. Reject messages of other protocol versions, and what is no message."""

import json
from dataclasses import dataclass
from typing import Annotated, TypeVar

from pydantic import AliasChoices, Field, TypeAdapter

from imker.protocol.commands import Request
from imker.protocol.events import Event
from imker.protocol.version import PROTOCOL_VERSION, SUPPORTED_VERSIONS

Message = TypeVar("Message", Request, Event)


@dataclass(frozen=True)
class MessageHeader:
    """The fields that messages of all protocol versions share. `number`, `at`: of events only, `at` in UNIX seconds."""

    run: str
    job: int
    protocol_version: Annotated[  # version 1 calls it `contract`
        int, Field(validation_alias=AliasChoices("protocol_version", "contract"))
    ]
    number: int = 0
    at: float = 0.0


_HEADER_ADAPTER: TypeAdapter[MessageHeader] = TypeAdapter(MessageHeader)
_REQUEST_ADAPTER: TypeAdapter[Request] = TypeAdapter(Request)
_EVENT_ADAPTER: TypeAdapter[Event] = TypeAdapter(Event)


class UnsupportedVersion(ValueError):
    """Raised for a message of another protocol version, and for text that is no message at all."""


def encode_message(message: Request | Event) -> str:
    """Encode a message as JSON. Lone surrogates, which a host can send as JSON escapes, become question marks."""
    adapter: TypeAdapter[Request] | TypeAdapter[Event] = (
        _REQUEST_ADAPTER if isinstance(message, Request) else _EVENT_ADAPTER
    )
    plain = adapter.dump_python(message)  # type: ignore[arg-type]
    return json.dumps(plain, ensure_ascii=False).encode(errors="replace").decode()


def decode_request(text: str | bytes) -> Request:
    """Decode a request. Raises UnsupportedVersion."""
    return _decode(_REQUEST_ADAPTER, text)


def decode_event(text: str | bytes) -> Event:
    """Decode an event. Raises UnsupportedVersion."""
    return _decode(_EVENT_ADAPTER, text)


def header_of_other_version(text: str | bytes) -> MessageHeader | None:
    """Return the header of a message of another protocol version; None for any other text."""
    header = _read_header(text)
    return None if header is None or header.protocol_version in SUPPORTED_VERSIONS else header


def _decode(adapter: TypeAdapter[Message], text: str | bytes) -> Message:
    header = _read_header(text)
    if header and header.protocol_version not in SUPPORTED_VERSIONS:
        raise UnsupportedVersion(f"protocol version {header.protocol_version}; this side uses {PROTOCOL_VERSION}")
    try:
        if header is None:
            raise ValueError("no message header")
        return adapter.validate_json(text)
    except (ValueError, TypeError) as error:
        raise UnsupportedVersion("not a message of this protocol") from error


def _read_header(text: str | bytes) -> MessageHeader | None:
    try:
        return _HEADER_ADAPTER.validate_json(text)
    except (ValueError, TypeError):
        return None
