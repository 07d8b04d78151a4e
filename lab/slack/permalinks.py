"""Permalinks of messages, and the messages that they name."""

from typing import Any

from lab.slack.state import SlackState

NO_SERVER = "https://imker.slack.com"  # the address in links of a workspace without a server


def get_permalink(arguments: dict[str, Any], state: SlackState) -> dict[str, Any]:
    """Return the link to a message. That of a reply also names its thread."""
    channel = state.joined_channel(arguments.get("channel", ""))["id"]
    message = state.find_message(channel, str(arguments.get("message_ts") or ""))
    link = f"{state.base_url or NO_SERVER}/archives/{channel}/p{message.ts.replace('.', '')}"
    thread = f"?thread_ts={message.thread_ts}&cid={channel}" if message.thread_ts else ""
    return {"channel": channel, "permalink": link + thread}
