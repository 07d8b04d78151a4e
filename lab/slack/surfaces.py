"""The Web API beyond messages: views, reactions, files. As lab.slack.methods: arguments and state in, an answer out."""

import time
from typing import Any

from lab.slack.state import TRIGGER, Message, SlackRefuses, State

Answer = dict[str, Any]
BLOCKS, TITLE = 100, 24  # of a view


def open_view(arguments: dict[str, Any], state: State) -> Answer:
    """A trigger_id is good for three seconds, and once."""
    user, made = state.triggers.pop(arguments.get("trigger_id", ""), ("", 0.0))
    if not user:
        raise SlackRefuses("invalid_trigger_id")
    if time.time() - made > TRIGGER:
        raise SlackRefuses("expired_trigger_id")
    return _kept(state, state.new_id("V"), user, arguments.get("view"), "modal")


def update_view(arguments: dict[str, Any], state: State) -> Answer:
    view = state.views.get(arguments.get("view_id", ""))
    if view is None:
        raise SlackRefuses("not_found")
    return _kept(state, view["id"], view["user"], arguments.get("view"), view["type"])


def publish_view(arguments: dict[str, Any], state: State) -> Answer:
    user = arguments.get("user_id", "")
    if user not in state.users:
        raise SlackRefuses("user_not_found")
    return _kept(state, f"H{user}", user, arguments.get("view"), "home")


def add_reaction(arguments: dict[str, Any], state: State) -> Answer:
    message = state.message(state.channel(arguments.get("channel", ""))["id"], arguments.get("timestamp", ""))
    name = str(arguments.get("name", ""))
    if name in message.reactions:
        raise SlackRefuses("already_reacted")
    message.reactions.append(name)
    return {}


def upload_url(arguments: dict[str, Any], state: State) -> Answer:
    if not arguments.get("filename") or not int(arguments.get("length") or 0):
        raise SlackRefuses("invalid_arguments")
    file = state.new_id("F")
    state.files[file] = {"id": file, "name": arguments["filename"], "content": None}
    return {"upload_url": f"{state.base}/upload/{file}", "file_id": file}


def complete_upload(arguments: dict[str, Any], state: State) -> Answer:
    """Shared into a channel when one is named."""
    files = [state.files.get(file["id"], {}) for file in arguments.get("files") or []]
    if not files or any(file.get("content") is None for file in files):
        raise SlackRefuses("file_not_found")
    shown = [{"id": file["id"], "name": file["name"], "size": len(file["content"])} for file in files]
    if arguments.get("channel_id"):
        channel = state.channel(arguments["channel_id"])["id"]
        message = Message(
            state.ts(), channel, state.app["bot_user"], arguments.get("initial_comment") or "", files=shown
        )
        message.thread = arguments.get("thread_ts") or ""
        state.messages[message.ts] = message
    return {"files": shown}


def _kept(state: State, view_id: str, user: str, view: Any, kind: str) -> Answer:
    if not isinstance(view, dict) or view.get("type") != kind or len(view.get("blocks", ())) > BLOCKS:
        raise SlackRefuses("invalid_arguments")
    if kind == "modal" and not 1 <= len((view.get("title") or {}).get("text", "")) <= TITLE:
        raise SlackRefuses("invalid_arguments")
    state.views[view_id] = {**view, "id": view_id, "user": user}
    return {"view": state.views[view_id]}
