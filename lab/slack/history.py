"""The Web API's reading of messages, page by page. As lab.slack.methods: arguments and state in, an answer out."""

import base64
import binascii
from typing import Any

from lab.slack.state import Message, SlackRefuses, State

Answer = dict[str, Any]
HISTORY, REPLIES = (100, 999), (1000, 1000)  # a page's messages: without a limit, and at most
MARK = "next_ts:"  # in a cursor, before the ts at which the next page begins


def history(arguments: dict[str, Any], state: State) -> Answer:
    """Newest first, without what stands in threads alone."""
    channel = state.within(arguments.get("channel", ""))["id"]
    roots = [m for m in state.messages.values() if m.channel == channel and not m.to and m.in_channel]
    page, more = _page(_between(roots, arguments)[::-1], arguments, *HISTORY)
    told = true(arguments.get("include_all_metadata"))
    return {"messages": [{**m.as_slack(told), **_thread(m, state)} for m in page], **more}


def replies(arguments: dict[str, Any], state: State) -> Answer:
    """Oldest first; what is answered leads each page."""
    channel = state.within(arguments.get("channel", ""))["id"]
    parent = state.message(channel, state.thread(channel, {"thread_ts": arguments.get("ts") or "0"}))
    thread = [m for m in state.messages.values() if m.thread == parent.ts and not m.to]
    page, more = _page(_between(thread, arguments), arguments, *REPLIES)
    told = true(arguments.get("include_all_metadata"))
    first = {**parent.as_slack(told), **_thread(parent, state)}
    return {"messages": [first, *(m.as_slack(told) for m in page)], **more}


def _between(messages: list[Message], arguments: dict[str, Any]) -> list[Message]:
    """Without those at `oldest` and `latest` themselves, unless the app wants them."""
    try:
        oldest = float(arguments.get("oldest") or 0)
        latest = float(arguments.get("latest") or "inf")
    except ValueError as wrong:
        raise SlackRefuses("invalid_arguments") from wrong
    ends = (oldest, latest) if true(arguments.get("inclusive")) else ()
    return [m for m in messages if oldest < float(m.ts) < latest or float(m.ts) in ends]


def _page(messages: list[Message], arguments: dict[str, Any], usual: int, most: int) -> tuple[list[Message], Answer]:
    """From where the cursor points, and what tells of the next page."""
    limit = str(arguments.get("limit") or usual)
    if not limit.isdigit() or not 1 <= int(limit) <= most:
        raise SlackRefuses("invalid_limit")
    begin = _begin(messages, str(arguments.get("cursor") or ""))
    end = begin + int(limit)
    cursor = base64.b64encode(f"{MARK}{messages[end].ts}".encode()).decode() if end < len(messages) else ""
    return messages[begin:end], {"has_more": bool(cursor), "response_metadata": {"next_cursor": cursor}}


def _begin(messages: list[Message], cursor: str) -> int:
    """A message that is gone in the meantime counts as if it were there."""
    if not cursor:
        return 0
    try:
        at = float(base64.b64decode(cursor, validate=True).decode().removeprefix(MARK))
    except (binascii.Error, ValueError) as wrong:
        raise SlackRefuses("invalid_cursor") from wrong
    falling = len(messages) > 1 and messages[0].ts > messages[-1].ts
    return sum(float(m.ts) > at if falling else float(m.ts) < at for m in messages)


def _thread(message: Message, state: State) -> dict[str, Any]:
    """Of a message that was answered, how often."""
    answers = sum(reply.thread == message.ts and not reply.to for reply in state.messages.values())
    return {"thread_ts": message.ts, "reply_count": answers} if answers else {}


def true(value: Any) -> bool:
    """Forms carry "true" and "1"."""
    return str(value).lower() in ("true", "1")
