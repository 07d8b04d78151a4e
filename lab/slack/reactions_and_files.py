"""Web API methods for reactions and files. Arguments and state in, response out."""

import re
from typing import Any

from lab.slack.state import Message, SlackError, SlackState

Answer = dict[str, Any]


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
