"""Which users a new message notifies: by a mention, by a mention of their group, or as a direct message. Pure.

An edit notifies no one, and neither does a private reply.
"""

import re
from collections.abc import Iterator
from typing import Any, Literal

from lab.slack.state import BROADCAST_SUBTYPE, Message, SlackState

Reason = Literal["mention", "group", "channel", "direct"]
USER_MENTION = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^>]*)?>")
GROUP_MENTION = re.compile(r"<!subteam\^(S[A-Z0-9]+)(?:\|[^>]*)?>")
CHANNEL_MENTION = re.compile(r"<!(?:channel|here|everyone)(?:\|[^>]*)?>")
MENTION_ELEMENTS = {  # elements of a rich text that mention someone, and how mrkdwn writes them
    "user": lambda element: f"<@{element['user_id']}>",
    "usergroup": lambda element: f"<!subteam^{element['usergroup_id']}>",
    "broadcast": lambda element: f"<!{element['range']}>",
}


def notifications_of(message: Message, state: SlackState) -> list[dict[str, Any]]:
    """Return a notification for each user whom the new message notifies. Members of the channel only."""
    if message.only_user:
        return []
    channel, markup = state.channels[message.channel], _markup(message)
    users = (user for user in channel["members"] if user != message.user and not state.users[user].get("is_bot"))
    reasons = ((user, _reason(user, markup, bool(channel.get("is_im")), state)) for user in users)
    fields = {
        "channel": message.channel, "ts": message.ts, "thread_ts": message.thread_ts, "text": message.text,
        "broadcast": message.subtype == BROADCAST_SUBTYPE,
    }  # fmt: skip
    return [{"user": user, "reason": reason, **fields} for user, reason in reasons if reason]


def _reason(user: str, markup: str, is_direct: bool, state: SlackState) -> Reason | None:
    if is_direct:
        return "direct"
    if user in USER_MENTION.findall(markup):
        return "mention"
    if any(user in state.groups.get(group, {}).get("users", ()) for group in GROUP_MENTION.findall(markup)):
        return "group"
    return "channel" if CHANNEL_MENTION.search(markup) else None


def _markup(message: Message) -> str:
    """Return all text in which a mention counts: of the blocks or, without blocks, the message's own."""
    return "\n".join(_texts(message.blocks)) if message.blocks else message.text


def _texts(part: Any) -> Iterator[str]:
    if isinstance(part, list):
        for inner in part:
            yield from _texts(inner)
    elif isinstance(part, dict):
        if part.get("type") == "mrkdwn":
            yield str(part.get("text", ""))
        elif part.get("type") in MENTION_ELEMENTS:
            yield MENTION_ELEMENTS[part["type"]](part)
        else:
            yield from _texts(list(part.values()))
