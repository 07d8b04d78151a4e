"""The Web API's channels: which there are, who is in them. As lab.slack.methods: arguments and state in, answer out."""

from typing import Any

from lab.slack.state import SlackRefuses, State

Answer = dict[str, Any]


def info(arguments: dict[str, Any], state: State) -> Answer:
    return {"channel": _told(_found(arguments, state), state)}


def listed(arguments: dict[str, Any], state: State) -> Answer:
    return {"channels": [_told(one, state) for one in state.channels.values() if not one.get("is_im")]}


def members(arguments: dict[str, Any], state: State) -> Answer:
    return {"members": state.within(arguments.get("channel", ""))["members"]}


def join(arguments: dict[str, Any], state: State) -> Answer:
    """Whoever is in already stays in, and is told so."""
    channel, me = _found(arguments, state), state.app["bot_user"]
    if channel.get("is_archived"):
        raise SlackRefuses("is_archived")
    if me in channel["members"]:
        return {"channel": _told(channel, state), "warning": "already_in_channel"}
    channel["members"].append(me)
    return {"channel": _told(channel, state)}


def leave(arguments: dict[str, Any], state: State) -> Answer:
    channel, me = _found(arguments, state), state.app["bot_user"]
    if channel.get("is_archived"):
        raise SlackRefuses("is_archived")
    if me not in channel["members"]:
        return {"not_in_channel": True}
    channel["members"].remove(me)
    return {}


def _found(arguments: dict[str, Any], state: State) -> dict[str, Any]:
    found: dict[str, Any] | None = state.channels.get(arguments.get("channel", ""))
    if found is None:
        raise SlackRefuses("channel_not_found")
    return found


def _told(channel: dict[str, Any], state: State) -> Answer:
    archived = bool(channel.get("is_archived"))
    member = state.app["bot_user"] in channel["members"]
    return {"id": channel["id"], "name": channel["name"], "is_member": member, "is_archived": archived}
