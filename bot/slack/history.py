"""Messages with a mark in their metadata: posted, and looked up before one is posted again whose reply was lost."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from slack_sdk import WebClient

from bot.messages.block_kit import Message

MAX_PAGES, PAGE_SIZE = 20, 200  # of a channel's history or a thread, that are looked through


def post(client: WebClient, channel: str, message: Message, kind: str, payload: dict[str, str], **more: Any) -> str:
    """Its ts. `kind` and `said`: what `payload` finds in it again; `more`: of Slack's own arguments."""
    reply = client.chat_postMessage(channel=channel, **_arguments(message, kind, payload), **more)
    return str(reply["ts"])


def edit(client: WebClient, channel: str, ts: str, message: Message, kind: str, payload: dict[str, str]) -> None:
    client.chat_update(channel=channel, ts=ts, **_arguments(message, kind, payload))


def _arguments(message: Message, kind: str, payload: dict[str, str]) -> dict[str, Any]:
    metadata = {"event_type": kind, "event_payload": payload}
    return {"text": message.text, "blocks": list(message.blocks), "metadata": metadata}


def history(client: WebClient, channel: str, oldest: float = 0) -> Iterator[dict[str, Any]]:
    """Newest first; a page is asked for when the one before is read. `oldest`: UNIX seconds."""
    return _pages(partial(client.conversations_history, channel=channel, oldest=str(oldest) if oldest else None))


def replies(client: WebClient, channel: str, ts: str) -> Iterator[dict[str, Any]]:
    """What is in a thread, and what it answers."""
    return _pages(partial(client.conversations_replies, channel=channel, ts=ts))


def _pages(ask: Callable[..., Any]) -> Iterator[dict[str, Any]]:
    cursor = None
    for _ in range(MAX_PAGES):
        page = ask(cursor=cursor, include_all_metadata=True, limit=PAGE_SIZE)
        yield from page["messages"]
        cursor = (page.get("response_metadata") or {}).get("next_cursor")
        if not cursor:
            return


def own_messages(
    client: WebClient, messages: Iterable[dict[str, Any]], kind: str
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield each message of the bot's own with metadata of this kind, and what that says.

    Any app can post such metadata into the channel. Slack is asked who the bot is only when something is found.
    """
    me = ""
    for message in messages:
        if said := payload_of(message, kind):
            me = me or str(client.auth_test()["user_id"])
            if message.get("user") == me:
                yield message, said


def payload_of(message: dict[str, Any], kind: str) -> dict[str, Any]:
    """What is in a message's metadata of this kind, whoever posted it; nothing if there is none."""
    metadata = message.get("metadata")
    if not isinstance(metadata, dict) or metadata.get("event_type") != kind:
        return {}
    said = metadata.get("event_payload")
    return said if isinstance(said, dict) else {}
