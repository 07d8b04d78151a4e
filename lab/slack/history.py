"""Web API methods that read messages page by page. Arguments and state in, response out."""

import base64
import binascii
from typing import Any

from lab.slack.state import Message, SlackError, SlackState

Answer = dict[str, Any]
HISTORY_LIMITS, REPLIES_LIMITS = (100, 999), (1000, 1000)  # messages per page: default and maximum
CURSOR_PREFIX = "next_ts:"  # in a cursor, followed by the ts where the next page starts


def channel_history(arguments: dict[str, Any], state: SlackState) -> Answer:
    """Return messages newest first, without plain thread replies."""
    channel = state.readable_channel(arguments.get("channel", ""))["id"]
    roots = [
        message
        for message in state.messages.values()
        if message.channel == channel and not message.only_user and message.in_channel
    ]
    page, page_fields = _paginate(_filter_by_time(roots, arguments)[::-1], arguments, *HISTORY_LIMITS)
    with_metadata = is_true(arguments.get("include_all_metadata"))
    return {
        "messages": [{**message.as_slack(with_metadata), **_thread_fields(message, state)} for message in page],
        **page_fields,
    }


def thread_replies(arguments: dict[str, Any], state: SlackState) -> Answer:
    """Return replies oldest first. The parent message leads each page."""
    channel = state.readable_channel(arguments.get("channel", ""))["id"]
    parent = state.find_message(channel, state.resolve_thread(channel, {"thread_ts": arguments.get("ts") or "0"}))
    thread = [
        message for message in state.messages.values() if message.thread_ts == parent.ts and not message.only_user
    ]
    page, page_fields = _paginate(_filter_by_time(thread, arguments), arguments, *REPLIES_LIMITS)
    with_metadata = is_true(arguments.get("include_all_metadata"))
    first = {**parent.as_slack(with_metadata), **_thread_fields(parent, state)}
    return {"messages": [first, *(message.as_slack(with_metadata) for message in page)], **page_fields}


def _filter_by_time(messages: list[Message], arguments: dict[str, Any]) -> list[Message]:
    """Return messages between `oldest` and `latest`, exclusive unless `inclusive` is set."""
    try:
        oldest = float(arguments.get("oldest") or 0)
        latest = float(arguments.get("latest") or "inf")
    except ValueError as error:
        raise SlackError("invalid_arguments") from error
    included_bounds = (oldest, latest) if is_true(arguments.get("inclusive")) else ()
    return [
        message for message in messages if oldest < float(message.ts) < latest or float(message.ts) in included_bounds
    ]


def _paginate(
    messages: list[Message], arguments: dict[str, Any], default_limit: int, max_limit: int
) -> tuple[list[Message], Answer]:
    """Return one page from the cursor on, and the fields that describe the next page."""
    limit = str(arguments.get("limit") or default_limit)
    if not limit.isdigit() or not 1 <= int(limit) <= max_limit:
        raise SlackError("invalid_limit")
    begin = _page_start(messages, str(arguments.get("cursor") or ""))
    end = begin + int(limit)
    cursor = base64.b64encode(f"{CURSOR_PREFIX}{messages[end].ts}".encode()).decode() if end < len(messages) else ""
    return messages[begin:end], {"has_more": bool(cursor), "response_metadata": {"next_cursor": cursor}}


def _page_start(messages: list[Message], cursor: str) -> int:
    """Return the index where the page starts, also if the message of the cursor was deleted."""
    if not cursor:
        return 0
    try:
        position = float(base64.b64decode(cursor, validate=True).decode().removeprefix(CURSOR_PREFIX))
    except (binascii.Error, ValueError) as error:
        raise SlackError("invalid_cursor") from error
    newest_first = len(messages) > 1 and messages[0].ts > messages[-1].ts
    return sum(float(message.ts) > position if newest_first else float(message.ts) < position for message in messages)


def _thread_fields(message: Message, state: SlackState) -> dict[str, Any]:
    """Return the thread fields of a message with replies."""
    reply_count = sum(reply.thread_ts == message.ts and not reply.only_user for reply in state.messages.values())
    return {"thread_ts": message.ts, "reply_count": reply_count} if reply_count else {}


def is_true(value: Any) -> bool:
    """Parse a boolean argument. Forms carry "true" or "1"."""
    return str(value).lower() in ("true", "1")
