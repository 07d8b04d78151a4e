"""Web API methods for channels and their members. Arguments and state in, response out."""

from typing import Any

from lab.slack.state import SlackError, SlackState

Answer = dict[str, Any]


def channel_info(arguments: dict[str, Any], state: SlackState) -> Answer:
    return {"channel": _describe_channel(_find_channel(arguments, state), state)}


def list_channels(arguments: dict[str, Any], state: SlackState) -> Answer:
    return {
        "channels": [
            _describe_channel(channel, state) for channel in state.channels.values() if not channel.get("is_im")
        ]
    }


def list_members(arguments: dict[str, Any], state: SlackState) -> Answer:
    return {"members": state.joined_channel(arguments.get("channel", ""))["members"]}


def join_channel(arguments: dict[str, Any], state: SlackState) -> Answer:
    """Join a channel. A member stays a member and gets a warning."""
    channel, bot_user = _find_channel(arguments, state), state.app["bot_user"]
    if channel.get("is_archived"):
        raise SlackError("is_archived")
    if bot_user in channel["members"]:
        return {"channel": _describe_channel(channel, state), "warning": "already_in_channel"}
    channel["members"].append(bot_user)
    return {"channel": _describe_channel(channel, state)}


def leave_channel(arguments: dict[str, Any], state: SlackState) -> Answer:
    channel, bot_user = _find_channel(arguments, state), state.app["bot_user"]
    if channel.get("is_archived"):
        raise SlackError("is_archived")
    if bot_user not in channel["members"]:
        return {"not_in_channel": True}
    channel["members"].remove(bot_user)
    return {}


def open_direct_channel(arguments: dict[str, Any], state: SlackState) -> Answer:
    """Open the direct messages of the app with one user."""
    user = str(arguments.get("users") or "")
    if user not in state.users:
        raise SlackError("user_not_found")
    if state.users[user].get("is_bot") or state.users[user].get("deleted"):
        raise SlackError("cannot_dm_bot" if state.users[user].get("is_bot") else "user_disabled")
    return {"channel": {"id": state.joined_channel(user)["id"]}}


def _find_channel(arguments: dict[str, Any], state: SlackState) -> dict[str, Any]:
    channel: dict[str, Any] | None = state.channels.get(arguments.get("channel", ""))
    if channel is None:
        raise SlackError("channel_not_found")
    return channel


def _describe_channel(channel: dict[str, Any], state: SlackState) -> Answer:
    archived = bool(channel.get("is_archived"))
    member = state.app["bot_user"] in channel["members"]
    return {"id": channel["id"], "name": channel["name"], "is_member": member, "is_archived": archived}
