"""What is in a run's thread: looked up before anything is posted again whose first reply was lost."""

from typing import Any

from slack_sdk import WebClient


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
