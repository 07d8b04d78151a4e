"""Post and edit messages with metadata, and find them again by it."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from slack_sdk import WebClient

from bot.messages.block_kit import Message

MAX_PAGES, PAGE_SIZE = 20, 200  # of a channel or a thread that are searched; messages


def post(client: WebClient, channel: str, message: Message, kind: str, payload: dict[str, str], **more: Any) -> str:
    """Post a message and return its ts. `kind`, `payload`: its metadata; `more`: other arguments of the method."""
    reply = client.chat_postMessage(channel=channel, **_arguments(message, kind, payload), **more)
    return str(reply["ts"])


def edit(client: WebClient, channel: str, ts: str, message: Message, kind: str, payload: dict[str, str]) -> None:
    """Replace a message and its metadata."""
    client.chat_update(channel=channel, ts=ts, **_arguments(message, kind, payload))


def _arguments(message: Message, kind: str, payload: dict[str, str]) -> dict[str, Any]:
    metadata = {"event_type": kind, "event_payload": payload}
    return {"text": message.text, "blocks": list(message.blocks), "metadata": metadata}


def history(client: WebClient, channel: str, oldest: float = 0) -> Iterator[dict[str, Any]]:
    """Yield a channel's messages, newest first, page by page. `oldest`: UNIX seconds."""
    return _pages(partial(client.conversations_history, channel=channel, oldest=str(oldest) if oldest else None))


def replies(client: WebClient, channel: str, ts: str) -> Iterator[dict[str, Any]]:
    """Yield a thread's first message and its replies, page by page."""
    return _pages(partial(client.conversations_replies, channel=channel, ts=ts))


def _pages(request: Callable[..., Any]) -> Iterator[dict[str, Any]]:
    cursor = None
    for _ in range(MAX_PAGES):
        page = request(cursor=cursor, include_all_metadata=True, limit=PAGE_SIZE)
        yield from page["messages"]
        cursor = (page.get("response_metadata") or {}).get("next_cursor")
        if not cursor:
            return


def own_messages(
    client: WebClient, messages: Iterable[dict[str, Any]], kind: str
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield each of the bot's own messages with metadata of this kind, and the payload.

    Other apps can post the same metadata, so the author is checked. The bot's ID is requested only if it is needed.
    """
    me = ""
    for message in messages:
        if payload := payload_of(message, kind):
            me = me or str(client.auth_test()["user_id"])
            if message.get("user") == me:
                yield message, payload


def payload_of(message: dict[str, Any], kind: str) -> dict[str, Any]:
    """Return the payload of a message's metadata of this kind, {} if there is none. Does not check the author."""
    metadata = message.get("metadata")
    if not isinstance(metadata, dict) or metadata.get("event_type") != kind:
        return {}
    payload = metadata.get("event_payload")
    return payload if isinstance(payload, dict) else {}
