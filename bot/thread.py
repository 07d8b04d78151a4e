"""Messages with a mark in their metadata: posted, and looked up before one is posted again whose reply was lost."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from slack_sdk import WebClient

from bot.kit import Message

PAGES, PAGE = 20, 200  # of a channel's history or a thread, that are looked through


def post(client: WebClient, channel: str, message: Message, kind: str, said: dict[str, str], **more: Any) -> str:
    """Its ts. `kind` and `said`: what `payload` finds in it again; `more`: of Slack's own arguments."""
    reply = client.chat_postMessage(channel=channel, **_written(message, kind, said), **more)
    return str(reply["ts"])


def edit(client: WebClient, channel: str, ts: str, message: Message, kind: str, said: dict[str, str]) -> None:
    client.chat_update(channel=channel, ts=ts, **_written(message, kind, said))


def _written(message: Message, kind: str, said: dict[str, str]) -> dict[str, Any]:
    metadata = {"event_type": kind, "event_payload": said}
    return {"text": message.text, "blocks": list(message.blocks), "metadata": metadata}


def history(client: WebClient, channel: str, oldest: float = 0) -> Iterator[dict[str, Any]]:
    """Newest first; a page is asked for when the one before is read. `oldest`: UNIX seconds."""
    return _paged(partial(client.conversations_history, channel=channel, oldest=str(oldest) if oldest else None))


def replies(client: WebClient, posted: dict[str, str]) -> Iterator[dict[str, Any]]:
    """What is in a thread, and what it answers. `posted`: the run's message, its "channel" and "ts"."""
    return _paged(partial(client.conversations_replies, channel=posted["channel"], ts=posted["ts"]))


def _paged(ask: Callable[..., Any]) -> Iterator[dict[str, Any]]:
    cursor = None
    for _ in range(PAGES):
        told = ask(cursor=cursor, include_all_metadata=True, limit=PAGE)
        yield from told["messages"]
        cursor = (told.get("response_metadata") or {}).get("next_cursor")
        if not cursor:
            return


def payload(message: dict[str, Any], kind: str) -> dict[str, Any]:
    """What the bot put into a message's metadata of this kind, nothing if there is none."""
    metadata = message.get("metadata") or {}
    return (metadata.get("event_payload") or {}) if metadata.get("event_type") == kind else {}
