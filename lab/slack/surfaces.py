"""The Web API beyond messages: views, reactions, files. As lab.slack.methods: arguments and state in, an answer out."""

import re
import time
from collections.abc import Iterator
from typing import Any

from lab.slack.blocks import problems
from lab.slack.state import TRIGGER, Message, SlackRefuses, State
from lab.slack.texts import ID, plain

Answer = dict[str, Any]
TITLE, PRIVATE = 24, 3000  # characters: of a modal's title and buttons, of what the app keeps in it


def open_view(arguments: dict[str, Any], state: State) -> Answer:
    """A trigger_id is good for three seconds, and once."""
    trigger = state.triggers.get(arguments.get("trigger_id", ""))
    if trigger is None:
        raise SlackRefuses("invalid_trigger_id")
    if trigger.used:
        raise SlackRefuses("exchanged_trigger_id")
    if time.time() - trigger.made > TRIGGER:
        raise SlackRefuses("expired_trigger_id")
    trigger.used = True
    return _kept(state, state.new_id("V"), trigger.user, arguments.get("view"), "modal")


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


def submitted(view_id: str, answer: dict[str, Any], state: State) -> None:
    """What becomes of a modal by the app's acknowledgement: it stays with its errors, changes, or is gone."""
    view = state.views[view_id]
    action = answer.get("response_action")
    if action == "update":
        _kept(state, view_id, view["user"], answer.get("view"), "modal")
    elif action == "push":
        _kept(state, state.new_id("V"), view["user"], answer.get("view"), "modal")
    elif action == "clear":
        state.views = {
            v: kept for v, kept in state.views.items() if (kept["user"], kept["type"]) != (view["user"], "modal")
        }
    elif action != "errors":
        del state.views[view_id]


def add_reaction(arguments: dict[str, Any], state: State) -> Answer:
    message = state.message(state.channel(arguments.get("channel", ""))["id"], arguments.get("timestamp", ""))
    name = str(arguments.get("name") or "")
    if not name:
        raise SlackRefuses("no_reaction")
    if not re.fullmatch(r"[a-z0-9_+'-]+(::skin-tone-[2-6])?", name):
        raise SlackRefuses("invalid_name")
    if name in message.reactions:
        raise SlackRefuses("already_reacted")
    message.reactions.append(name)
    return {}


def upload_url(arguments: dict[str, Any], state: State) -> Answer:
    length = str(arguments.get("length") or "")
    if not arguments.get("filename") or not length.isdigit() or not int(length):
        raise SlackRefuses("invalid_arguments")
    file = state.new_id("F")
    state.files[file] = {"id": file, "name": arguments["filename"], "content": None}
    return {"upload_url": f"{state.base}/upload/{file}", "file_id": file}


def complete_upload(arguments: dict[str, Any], state: State) -> Answer:
    """Shared into a channel when one is named."""
    given = arguments.get("files")
    if not isinstance(given, list) or not all(isinstance(file, dict) for file in given):
        raise SlackRefuses("invalid_arguments")
    files = [state.files.get(str(file.get("id")), {}) for file in given]
    if not files or any(file.get("content") is None for file in files):
        raise SlackRefuses("file_not_found")
    shown = [_shown(file, state) for file in files]
    if arguments.get("channel_id"):
        channel = state.channel(arguments["channel_id"])["id"]
        message = Message(
            state.ts(), channel, state.app["bot_user"], arguments.get("initial_comment") or "", files=shown
        )
        message.thread = state.thread(channel, arguments)
        state.post(message)
    return {"files": shown}


def _shown(file: dict[str, Any], state: State) -> Answer:
    size, url = len(file["content"]), f"{state.base}/file/{file['id']}"
    return {"id": file["id"], "name": file["name"], "title": file["name"], "size": size, "url_private": url}


def _kept(state: State, view_id: str, user: str, view: Any, kind: str) -> Answer:
    wrong = list(_wrong(view, kind))
    if wrong:
        messages = [f"[ERROR] {line}" for line in wrong]
        raise SlackRefuses("invalid_arguments", response_metadata={"messages": messages})
    state.views[view_id] = {**view, "id": view_id, "user": user}
    return {"view": state.views[view_id]}


def _wrong(view: Any, kind: str) -> Iterator[str]:
    if not isinstance(view, dict) or view.get("type") != kind:
        yield f"no view of type {kind}"
        return
    if kind == "modal":
        for name in ("title", "submit", "close"):
            if name in view or name == "title":
                yield from (f"{name}: {wrong}" for wrong in plain(view.get(name), TITLE))
    if len(str(view.get("private_metadata", ""))) > PRIVATE or len(str(view.get("callback_id", ""))) > ID:
        yield "private_metadata or callback_id too long"
    yield from problems(view.get("blocks"), "modal" if kind == "modal" else "home")
    if "input" in _kinds(view) and kind == "modal" and "submit" not in view:
        yield "a modal with an input needs submit"


def _kinds(view: Answer) -> set[str]:
    blocks = view.get("blocks")
    return (
        {str(block.get("type")) for block in blocks if isinstance(block, dict)} if isinstance(blocks, list) else set()
    )
