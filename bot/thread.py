"""Messages with a mark in their metadata: posted, and looked up before one is posted again whose reply was lost."""

from typing import Any

from slack_sdk import WebClient

from bot.kit import Message


def post(client: WebClient, channel: str, message: Message, kind: str, said: dict[str, str], **more: Any) -> str:
    """Its ts. `kind` and `said`: what `payload` finds in it again; `more`: of Slack's own arguments."""
    metadata: dict[str, Any] = {"event_type": kind, "event_payload": said}
    reply = client.chat_postMessage(
        channel=channel, text=message.text, blocks=list(message.blocks), metadata=metadata, **more
    )
    return str(reply["ts"])


def replies(client: WebClient, posted: dict[str, str]) -> list[dict[str, Any]]:
    """`posted`: the run's message, its "channel" and "ts"."""
    told = client.conversations_replies(
        channel=posted["channel"], ts=posted["ts"], include_all_metadata=True, limit=200
    )
    return list(told["messages"])


def payload(message: dict[str, Any], kind: str) -> dict[str, Any]:
    """What the bot put into a message's metadata of this kind, nothing if there is none."""
    metadata = message.get("metadata") or {}
    return (metadata.get("event_payload") or {}) if metadata.get("event_type") == kind else {}
