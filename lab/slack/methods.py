"""Slack's Web API: a function a method. Arguments and state in, an answer or SlackRefuses out."""

import re
from collections.abc import Callable
from typing import Any

from lab.slack import channels, history, surfaces
from lab.slack.blocks import EDITED, TEXT, problems
from lab.slack.state import BROADCAST, Message, ResponseUrl, SlackRefuses, State

Arguments = dict[str, Any]
Answer = dict[str, Any]
SCOPES = {
    "chat.postMessage": "chat:write", "chat.update": "chat:write", "chat.delete": "chat:write",
    "chat.postEphemeral": "chat:write", "users.info": "users:read", "users.list": "users:read",
    "usergroups.list": "usergroups:read", "usergroups.users.list": "usergroups:read",
    "conversations.history": "channels:history", "conversations.replies": "channels:history",
    "conversations.list": "channels:read", "conversations.info": "channels:read",
    "conversations.members": "channels:read", "conversations.join": "channels:join",
    "conversations.leave": "channels:manage",
    "reactions.add": "reactions:write", "files.getUploadURLExternal": "files:write",
    "files.completeUploadExternal": "files:write",
}  # fmt: skip


def call(method: str, arguments: Arguments, token: str, state: State) -> Answer:
    """Raises SlackRefuses: a wrong token, a missing scope, or what the method itself refuses."""
    handler = METHODS.get(method)
    if handler is None:
        raise SlackRefuses("unknown_method", req_method=method)
    _check_token(method, token, state)
    return handler(arguments, state)


def _check_token(method: str, token: str, state: State) -> None:
    wanted = state.app["app_token" if method == "apps.connections.open" else "bot_token"]
    if not token:
        raise SlackRefuses("not_authed")
    if token != wanted:
        known = token in (state.app["app_token"], state.app["bot_token"])
        raise SlackRefuses("not_allowed_token_type" if known else "invalid_auth")
    scope = SCOPES.get(method)
    if scope and scope not in state.manifest.scopes:
        raise SlackRefuses("missing_scope", needed=scope, provided=",".join(sorted(state.manifest.scopes)))


def _auth_test(_: Arguments, state: State) -> Answer:
    user = state.app["bot_user"]
    return {"team_id": state.team["id"], "team": state.team["name"], "user_id": user, "bot_id": "B01IMKER", "url": "/"}


def _post(arguments: Arguments, state: State) -> Answer:
    message = _written(arguments, state, state.channel(arguments.get("channel", ""))["id"])
    state.post(message)
    return {"channel": message.channel, "ts": message.ts, "message": message.as_slack()}


def _ephemeral(arguments: Arguments, state: State) -> Answer:
    channel = state.channel(arguments.get("channel", ""))
    if arguments.get("user") not in channel["members"]:
        raise SlackRefuses("user_not_in_channel")
    message = _written(arguments, state, channel["id"])
    message.to = arguments["user"]
    state.post(message)
    return {"message_ts": message.ts}


def _update(arguments: Arguments, state: State) -> Answer:
    """A text alone takes the blocks away; what is not given besides stays."""
    message = _own(arguments, state, "cant_update_message")
    if len(str(arguments.get("text") or "")) > EDITED:
        raise SlackRefuses("msg_too_long")
    checked = _written(arguments, state, message.channel)
    message.text, message.blocks, message.edited = checked.text, checked.blocks, True
    message.metadata = checked.metadata or message.metadata
    return {"channel": message.channel, "ts": message.ts, "text": message.text}


def _delete(arguments: Arguments, state: State) -> Answer:
    message = _own(arguments, state, "cant_delete_message")
    del state.messages[message.ts]
    return {"channel": message.channel, "ts": message.ts}


def respond(said: Arguments, url: ResponseUrl, state: State) -> None:
    """To a response_url: an answer of its own, or in the place of the message whose button was pressed, or none."""
    original = state.messages.get(url.message)
    if original and said.get("delete_original"):
        del state.messages[original.ts]
        return
    message = _written(said, state, url.channel)
    if original and said.get("replace_original"):
        original.text, original.blocks, original.edited = message.text, message.blocks, True
        return
    message.to = "" if said.get("response_type") == "in_channel" else url.user
    state.post(message)


def _own(arguments: Arguments, state: State, otherwise: str) -> Message:
    """The app's own message."""
    channel = state.channel(arguments.get("channel", ""))["id"]
    message = state.message(channel, arguments.get("ts", ""))
    if message.user != state.app["bot_user"]:
        raise SlackRefuses(otherwise)
    return message


def _written(arguments: Arguments, state: State, channel: str) -> Message:
    """A message's content, checked as Slack checks it."""
    text, blocks = str(arguments.get("text") or ""), arguments.get("blocks") or []
    if not text and not blocks:
        raise SlackRefuses("no_text")
    wrong = problems(blocks)
    if wrong:
        code = re.split(r"[ :]", wrong[0])[0]
        raise SlackRefuses(code, response_metadata={"messages": [f"[ERROR] {line}" for line in wrong]})
    message = Message(state.ts(), channel, state.app["bot_user"], text[:TEXT], blocks)
    message.metadata, message.thread = arguments.get("metadata") or {}, state.thread(channel, arguments)
    message.subtype = BROADCAST if message.thread and history.true(arguments.get("reply_broadcast")) else ""
    return message


def _user_info(arguments: Arguments, state: State) -> Answer:
    found = state.users.get(arguments.get("user", ""))
    if found is None:
        raise SlackRefuses("user_not_found")
    return {"user": found}


def _group_users(arguments: Arguments, state: State) -> Answer:
    found = state.groups.get(arguments.get("usergroup", ""))
    if found is None:
        raise SlackRefuses("no_such_subteam")
    return {"users": found["users"]}


METHODS: dict[str, Callable[[Arguments, State], Answer]] = {
    "auth.test": _auth_test,
    "apps.connections.open": lambda arguments, state: {},
    "chat.postMessage": _post,
    "chat.postEphemeral": _ephemeral,
    "chat.update": _update,
    "chat.delete": _delete,
    "conversations.history": history.history,
    "conversations.replies": history.replies,
    "conversations.info": channels.info,
    "conversations.list": channels.listed,
    "conversations.members": channels.members,
    "conversations.join": channels.join,
    "conversations.leave": channels.leave,
    "users.info": _user_info,
    "users.list": lambda arguments, state: {"members": list(state.users.values())},
    "usergroups.list": lambda arguments, state: {"usergroups": list(state.groups.values())},
    "usergroups.users.list": _group_users,
    "views.open": surfaces.open_view,
    "views.push": surfaces.open_view,
    "views.update": surfaces.update_view,
    "views.publish": surfaces.publish_view,
    "reactions.add": surfaces.add_reaction,
    "files.getUploadURLExternal": surfaces.upload_url,
    "files.completeUploadExternal": surfaces.complete_upload,
    "blocks.validate": lambda arguments, state: {"errors": problems(arguments.get("blocks") or [])},
}
