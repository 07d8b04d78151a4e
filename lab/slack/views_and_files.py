"""Web API methods for views, reactions, and files. Arguments and state in, response out."""

import re
import time
from collections.abc import Iterator
from typing import Any

from lab.slack.state import TRIGGER_TTL, Message, SlackError, SlackState
from lab.slack.validate_message import find_problems
from lab.slack.validate_text import ID, check_plain_text

Answer = dict[str, Any]
MAX_VIEW_TITLE = 24  # characters, also of a modal's buttons
MAX_PRIVATE_METADATA = 3000  # characters


def open_view(arguments: dict[str, Any], state: SlackState) -> Answer:
    """Open a modal. A trigger_id is valid for three seconds and for one use."""
    trigger = state.triggers.get(arguments.get("trigger_id", ""))
    if trigger is None:
        raise SlackError("invalid_trigger_id")
    if trigger.is_used:
        raise SlackError("exchanged_trigger_id")
    if time.time() - trigger.created_at > TRIGGER_TTL:
        raise SlackError("expired_trigger_id")
    trigger.is_used = True
    return _store_view(state, state.new_id("V"), trigger.user, arguments.get("view"), "modal")


def update_view(arguments: dict[str, Any], state: SlackState) -> Answer:
    view = state.views.get(arguments.get("view_id", ""))
    if view is None:
        raise SlackError("not_found")
    return _store_view(state, view["id"], view["user"], arguments.get("view"), view["type"])


def publish_view(arguments: dict[str, Any], state: SlackState) -> Answer:
    user = arguments.get("user_id", "")
    if user not in state.users:
        raise SlackError("user_not_found")
    return _store_view(state, f"H{user}", user, arguments.get("view"), "home")


def handle_submission(view_id: str, answer: dict[str, Any], state: SlackState) -> None:
    """Apply the app's acknowledgement of a submission: the modal shows errors, changes, or closes."""
    view = state.views[view_id]
    action = answer.get("response_action")
    if action == "update":
        _store_view(state, view_id, view["user"], answer.get("view"), "modal")
    elif action == "push":
        _store_view(state, state.new_id("V"), view["user"], answer.get("view"), "modal")
    elif action == "clear":
        state.views = {
            key: other
            for key, other in state.views.items()
            if (other["user"], other["type"]) != (view["user"], "modal")
        }
    elif action != "errors":
        del state.views[view_id]


def add_reaction(arguments: dict[str, Any], state: SlackState) -> Answer:
    message = state.find_message(
        state.writable_channel(arguments.get("channel", ""))["id"], arguments.get("timestamp", "")
    )
    name = str(arguments.get("name") or "")
    if not name:
        raise SlackError("no_reaction")
    if not re.fullmatch(r"[a-z0-9_+'-]+(::skin-tone-[2-6])?", name):
        raise SlackError("invalid_name")
    if name in message.reactions:
        raise SlackError("already_reacted")
    message.reactions.append(name)
    return {}


def create_upload_url(arguments: dict[str, Any], state: SlackState) -> Answer:
    length = str(arguments.get("length") or "")
    if not arguments.get("filename") or not length.isdigit() or not int(length):
        raise SlackError("invalid_arguments")
    file = state.new_id("F")
    state.files[file] = {"id": file, "name": arguments["filename"], "content": None}
    return {"upload_url": f"{state.base_url}/upload/{file}", "file_id": file}


def complete_upload(arguments: dict[str, Any], state: SlackState) -> Answer:
    """Complete an upload and share the file if a channel is given."""
    requested = arguments.get("files")
    if not isinstance(requested, list) or not all(isinstance(file, dict) for file in requested):
        raise SlackError("invalid_arguments")
    files = [state.files.get(str(file.get("id")), {}) for file in requested]
    if not files or any(file.get("content") is None for file in files):
        raise SlackError("file_not_found")
    fields = [_file_fields(file, state) for file in files]
    if arguments.get("channel_id"):
        channel = state.writable_channel(arguments["channel_id"])["id"]
        message = Message(
            state.new_ts(), channel, state.app["bot_user"], arguments.get("initial_comment") or "", files=fields
        )
        message.thread_ts = state.resolve_thread(channel, arguments)
        state.post(message)
    return {"files": fields}


def _file_fields(file: dict[str, Any], state: SlackState) -> Answer:
    size, url = len(file["content"]), f"{state.base_url}/file/{file['id']}"
    return {"id": file["id"], "name": file["name"], "title": file["name"], "size": size, "url_private": url}


def _store_view(state: SlackState, view_id: str, user: str, view: Any, kind: str) -> Answer:
    problems = list(_view_problems(view, kind))
    if problems:
        messages = [f"[ERROR] {line}" for line in problems]
        raise SlackError("invalid_arguments", response_metadata={"messages": messages})
    state.views[view_id] = {**view, "id": view_id, "user": user}
    return {"view": state.views[view_id]}


def _view_problems(view: Any, kind: str) -> Iterator[str]:
    if not isinstance(view, dict) or view.get("type") != kind:
        yield f"no view of type {kind}"
        return
    if kind == "modal":
        for name in ("title", "submit", "close"):
            if name in view or name == "title":
                yield from (f"{name}: {problem}" for problem in check_plain_text(view.get(name), MAX_VIEW_TITLE))
    if len(str(view.get("private_metadata", ""))) > MAX_PRIVATE_METADATA or len(str(view.get("callback_id", ""))) > ID:
        yield "private_metadata or callback_id too long"
    yield from find_problems(view.get("blocks"), "modal" if kind == "modal" else "home")
    if "input" in _block_types(view) and kind == "modal" and "submit" not in view:
        yield "a modal with an input needs submit"


def _block_types(view: Answer) -> set[str]:
    blocks = view.get("blocks")
    return (
        {str(block.get("type")) for block in blocks if isinstance(block, dict)} if isinstance(blocks, list) else set()
    )
