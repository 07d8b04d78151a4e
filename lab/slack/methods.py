"""Slack's Web API, one function per method. Arguments and state in, response or SlackError out."""

import re
from collections.abc import Callable
from typing import Any

from lab.slack import channels, history, permalinks, reactions_and_files, views
from lab.slack.notifications import notifications_of
from lab.slack.state import BROADCAST_SUBTYPE, Message, ResponseUrl, SlackError, SlackState
from lab.slack.validate_message import MAX_EDITED_TEXT, MAX_TEXT, find_problems

Arguments = dict[str, Any]
Answer = dict[str, Any]
SCOPES = {
    "chat.postMessage": "chat:write", "chat.update": "chat:write", "chat.delete": "chat:write",
    "chat.postEphemeral": "chat:write", "users.info": "users:read", "users.list": "users:read",
    "usergroups.list": "usergroups:read", "usergroups.users.list": "usergroups:read",
    "conversations.history": "channels:history", "conversations.replies": "channels:history",
    "conversations.list": "channels:read", "conversations.info": "channels:read",
    "conversations.members": "channels:read", "conversations.join": "channels:join",
    "conversations.leave": "channels:manage", "conversations.open": "im:write",
    "reactions.add": "reactions:write", "files.getUploadURLExternal": "files:write",
    "files.completeUploadExternal": "files:write",
}  # fmt: skip


def call_method(method: str, arguments: Arguments, token: str, state: SlackState) -> Answer:
    """Call a method. Raises SlackError for a wrong token, a missing scope, or an error of the method itself."""
    handler = METHODS.get(method)
    if handler is None:
        raise SlackError("unknown_method", req_method=method)
    _check_token(method, token, state)
    return handler(arguments, state)


def _check_token(method: str, token: str, state: SlackState) -> None:
    expected = state.app["app_token" if method == "apps.connections.open" else "bot_token"]
    if not token:
        raise SlackError("not_authed")
    if token != expected:
        is_known = token in (state.app["app_token"], state.app["bot_token"])
        raise SlackError("not_allowed_token_type" if is_known else "invalid_auth")
    if scope := SCOPES.get(method):
        state.require_scope(scope)


def _auth_test(_: Arguments, state: SlackState) -> Answer:
    user = state.app["bot_user"]
    return {"team_id": state.team["id"], "team": state.team["name"], "user_id": user, "bot_id": "B01IMKER", "url": "/"}


def _post_message(arguments: Arguments, state: SlackState) -> Answer:
    message = _build_message(arguments, state, state.writable_channel(arguments.get("channel", ""))["id"])
    state.post(message)
    state.notifications += notifications_of(message, state)
    return {"channel": message.channel, "ts": message.ts, "message": message.as_slack()}


def _post_ephemeral(arguments: Arguments, state: SlackState) -> Answer:
    channel = state.writable_channel(arguments.get("channel", ""))
    if arguments.get("user") not in channel["members"]:
        raise SlackError("user_not_in_channel")
    message = _build_message(arguments, state, channel["id"])
    message.only_user = arguments["user"]
    state.post(message)
    return {"message_ts": message.ts}


def _update_message(arguments: Arguments, state: SlackState) -> Answer:
    """Update a message. Text alone removes the blocks; other fields stay unless they are given."""
    message = _find_own_message(arguments, state, "cant_update_message")
    if len(str(arguments.get("text") or "")) > MAX_EDITED_TEXT:
        raise SlackError("msg_too_long")
    content = _build_message(arguments, state, message.channel)
    message.text, message.blocks, message.is_edited = content.text, content.blocks, True
    message.metadata = content.metadata or message.metadata
    return {"channel": message.channel, "ts": message.ts, "text": message.text}


def _delete_message(arguments: Arguments, state: SlackState) -> Answer:
    message = _find_own_message(arguments, state, "cant_delete_message")
    del state.messages[message.ts]
    return {"channel": message.channel, "ts": message.ts}


def respond_to_url(arguments: Arguments, url: ResponseUrl, state: SlackState) -> None:
    """Use a response_url: post a new message, or replace or delete the one whose button was pressed."""
    original = state.messages.get(url.message_ts)
    if original and arguments.get("delete_original"):
        del state.messages[original.ts]
        return
    message = _build_message(arguments, state, url.channel)
    if original and arguments.get("replace_original"):
        original.text, original.blocks, original.is_edited = message.text, message.blocks, True
        return
    message.only_user = "" if arguments.get("response_type") == "in_channel" else url.user
    state.post(message)
    state.notifications += notifications_of(message, state)


def _find_own_message(arguments: Arguments, state: SlackState, error_code: str) -> Message:
    """Return the app's own message. Raises SlackError if there is none."""
    channel = state.writable_channel(arguments.get("channel", ""))["id"]
    message = state.find_message(channel, arguments.get("ts", ""))
    if message.user != state.app["bot_user"]:
        raise SlackError(error_code)
    return message


def _build_message(arguments: Arguments, state: SlackState, channel: str) -> Message:
    """Return the content of a message after Slack's checks."""
    text, blocks = str(arguments.get("text") or ""), arguments.get("blocks") or []
    if not text and not blocks:
        raise SlackError("no_text")
    errors = find_problems(blocks)
    if errors:
        code = re.split(r"[ :]", errors[0])[0]
        raise SlackError(code, response_metadata={"messages": [f"[ERROR] {line}" for line in errors]})
    message = Message(state.new_ts(), channel, state.app["bot_user"], text[:MAX_TEXT], blocks)
    message.metadata, message.thread_ts = arguments.get("metadata") or {}, state.resolve_thread(channel, arguments)
    message.subtype = (
        BROADCAST_SUBTYPE if message.thread_ts and history.is_true(arguments.get("reply_broadcast")) else ""
    )
    return message


def _user_info(arguments: Arguments, state: SlackState) -> Answer:
    user = state.users.get(arguments.get("user", ""))
    if user is None:
        raise SlackError("user_not_found")
    return {"user": user}


def _group_users(arguments: Arguments, state: SlackState) -> Answer:
    group = state.groups.get(arguments.get("usergroup", ""))
    if group is None:
        raise SlackError("no_such_subteam")
    return {"users": group["users"]}


METHODS: dict[str, Callable[[Arguments, SlackState], Answer]] = {
    "auth.test": _auth_test,
    "apps.connections.open": lambda arguments, state: {},
    "chat.postMessage": _post_message,
    "chat.postEphemeral": _post_ephemeral,
    "chat.update": _update_message,
    "chat.delete": _delete_message,
    "chat.getPermalink": permalinks.get_permalink,
    "conversations.history": history.channel_history,
    "conversations.replies": history.thread_replies,
    "conversations.info": channels.channel_info,
    "conversations.list": channels.list_channels,
    "conversations.members": channels.list_members,
    "conversations.join": channels.join_channel,
    "conversations.leave": channels.leave_channel,
    "conversations.open": channels.open_direct_channel,
    "users.info": _user_info,
    "users.list": lambda arguments, state: {"members": list(state.users.values())},
    "usergroups.list": lambda arguments, state: {"usergroups": list(state.groups.values())},
    "usergroups.users.list": _group_users,
    "views.open": views.open_view,
    "views.push": views.push_view,
    "views.update": views.update_view,
    "views.publish": views.publish_view,
    "reactions.add": reactions_and_files.add_reaction,
    "files.getUploadURLExternal": reactions_and_files.create_upload_url,
    "files.completeUploadExternal": reactions_and_files.complete_upload,
    "blocks.validate": lambda arguments, state: {"errors": find_problems(arguments.get("blocks") or [])},
}
