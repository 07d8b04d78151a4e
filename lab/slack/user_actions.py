"""Actions of users in Slack: type a command, mention the app, press a button. Builds payloads as Slack does.

Raises SlackError where Slack would refuse.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from lab.slack.state import Message, ResponseUrl, SlackError, SlackState
from lab.slack.views import inputs

Payload = dict[str, Any]


def type_command(state: SlackState, user: str, channel: str, text: str) -> Payload:
    """Send a slash command. `text` starts with the command itself."""
    _require_member(state, user, channel)
    verb, _, rest = text.partition(" ")
    if verb not in state.manifest.commands:
        raise SlackError("no_such_command")
    return {
        "token": "legacy", "team_id": state.users[user]["team_id"], "team_domain": state.team["name"],
        "api_app_id": state.app["id"], "user_id": user, "user_name": state.users[user]["name"], "channel_id": channel,
        "channel_name": state.channels[channel]["name"], "command": verb, "text": rest,
        "trigger_id": state.new_trigger(user), "response_url": create_response_url(state, user, channel, ""),
    }  # fmt: skip


def mention_bot(state: SlackState, user: str, channel: str, text: str, metadata: Payload) -> Payload:
    """Post a mention. It stays in the channel even if the app does not get it. `metadata` is set as by another app."""
    _require_member(state, user, channel)
    message = Message(state.new_ts(), channel, user, f"<@{state.app['bot_user']}> {text}", metadata=metadata)
    state.post(message)
    return _event_payload(
        state, {"type": "app_mention", "user": user, "channel": channel, "ts": message.ts, "text": message.text}
    )


@dataclass(frozen=True)
class Press:
    """A press of a button, or of an item of an overflow menu.

    `option`: the value of the menu's item, "" for a button. `dialog`: the answer to the confirmation dialog, "" if
    there is none.
    """

    action_id: str
    option: str = ""
    dialog: Literal["", "confirm", "deny"] = ""


def press_button(state: SlackState, user: str, ts: str, press: Press) -> Payload | None:
    """Press a button. Refuses one that does not exist or that this user cannot see.

    Returns None if the user denied the confirmation dialog: Slack sends nothing then.
    """
    message = state.messages.get(ts)
    if message is None or message not in state.messages_visible_to(user, message.channel):
        raise SlackError("message_not_found")
    actions = _block_actions(state, user, message.blocks, press)
    return actions and {
        **actions,
        "channel": {"id": message.channel, "name": state.channels[message.channel]["name"]},
        "container": {"type": "message", "message_ts": ts, "channel_id": message.channel},
        "message": message.as_slack(), "response_url": create_response_url(state, user, message.channel, ts),
    }  # fmt: skip


def press_in_view(state: SlackState, user: str, view_id: str, press: Press) -> Payload | None:
    """Press a button of a modal or of the home tab. Returns None if the user denied the confirmation dialog."""
    view = find_view(state, user, view_id)
    container = {"type": "view", "view_id": view_id}
    actions = _block_actions(state, user, view["blocks"], press, view_id)
    return actions and {**actions, "container": container, "view": view}


def choose_in_view(state: SlackState, user: str, view_id: str, block_id: str, chosen: Payload) -> Payload:
    """Choose an option in an input that reports each change. `chosen`: its state, such as `selected_option`."""
    view = find_view(state, user, view_id)
    block = next((block for block in inputs(view) if block.get("block_id") == block_id), None)
    if block is None or not block.get("dispatch_action"):
        raise SlackError("no_such_input")
    action_id = block["element"]["action_id"]
    action = {"type": block["element"]["type"], "action_id": action_id, "block_id": block_id, **chosen}
    view_state = {**view, "state": {"values": {block_id: {action_id: {"type": action["type"], **chosen}}}}}
    actions = [{**action, "action_ts": state.new_ts()}]
    container = {"type": "view", "view_id": view_id}
    fields = {"type": "block_actions", **_actor_fields(state, user, view_id), "actions": actions}
    return {**fields, "container": container, "view": view_state}


def search_in_view(state: SlackState, user: str, view_id: str, block_id: str, query: str) -> Payload:
    """Type into a select whose options the app suggests."""
    view = find_view(state, user, view_id)
    block = next((block for block in inputs(view) if block.get("block_id") == block_id), None)
    if block is None or not block["element"]["type"].endswith("external_select"):
        raise SlackError("no_such_select")
    if len(query) < block["element"].get("min_query_length", 3):
        raise SlackError("query_too_short")
    fields = {name: value for name, value in _actor_fields(state, user).items() if name != "trigger_id"}
    return {
        "type": "block_suggestion", **fields, "action_id": block["element"]["action_id"], "block_id": block_id,
        "value": query, "view": view, "container": {"type": "view", "view_id": view_id},
    }  # fmt: skip


def submit_view(state: SlackState, user: str, view_id: str, values: dict[str, Any]) -> Payload:
    """Submit a modal. Slack does not send one whose required inputs are empty."""
    view_shown = find_view(state, user, view_id)
    missing = [
        block["block_id"] for block in inputs(view_shown) if not block.get("optional") and _is_empty(values, block)
    ]
    if missing:
        raise SlackError("missing_inputs", blocks=missing)
    view = {**view_shown, "state": {"values": values}}
    return {"type": "view_submission", **_actor_fields(state, user), "view": view, "response_urls": []}


def _is_empty(values: dict[str, Any], block: Payload) -> bool:
    element: Payload = values.get(block.get("block_id", ""), {}).get(block["element"].get("action_id", ""), {})
    return not any(element.get(name) for name in ("value", "selected_option", "selected_options"))


def use_shortcut(state: SlackState, user: str, callback_id: str) -> Payload:
    """Use a global shortcut."""
    if callback_id not in dict(state.manifest.shortcuts):
        raise SlackError("no_such_shortcut")
    return {"type": "shortcut", **_actor_fields(state, user), "callback_id": callback_id, "action_ts": state.new_ts()}


def join_channel(state: SlackState, channel: str, inviter: str) -> Payload:
    """Return the event that the app joined a channel."""
    event = {"type": "member_joined_channel", "user": state.app["bot_user"], "channel": channel, "channel_type": "C"}
    return _event_payload(state, {**event, "team": state.team["id"], "inviter": inviter, "event_ts": state.new_ts()})


def open_home(state: SlackState, user: str) -> Payload:
    _require_active(state, user)
    event = {"type": "app_home_opened", "user": user, "tab": "home", "channel": f"D{user}", "event_ts": state.new_ts()}
    view = state.views.get(f"H{user}")
    return _event_payload(state, {**event, "view": view} if view else event)


def create_response_url(state: SlackState, user: str, channel: str, ts: str) -> str:
    key = state.new_id("R")
    state.response_urls[key] = ResponseUrl(user, channel, ts, time.time())
    return f"{state.base_url}/response/{key}"


def _require_active(state: SlackState, user: str) -> None:
    if user not in state.users:
        raise SlackError("user_not_found")
    if state.users[user].get("deleted"):
        raise SlackError("account_inactive")


def _require_member(state: SlackState, user: str, channel: str) -> None:
    """Raise SlackError unless the user is a member of a channel that is not archived."""
    _require_active(state, user)
    if channel not in state.channels:
        raise SlackError("channel_not_found")
    if user not in state.channels[channel]["members"]:
        raise SlackError("not_in_channel")
    if state.channels[channel].get("is_archived"):
        raise SlackError("is_archived")


def _event_payload(state: SlackState, event: Payload) -> Payload:
    return {
        "type": "event_callback", "team_id": state.team["id"], "api_app_id": state.app["id"],
        "event_id": state.new_id("Ev"), "event_time": int(time.time()), "event": event,
    }  # fmt: skip


def _actor_fields(state: SlackState, user: str, view_id: str = "") -> Payload:
    _require_active(state, user)
    profile = state.users[user]
    return {
        "team": {"id": profile["team_id"]}, "api_app_id": state.app["id"],
        "trigger_id": state.new_trigger(user, view_id),
        "user": {"id": user, "username": profile["name"], "team_id": profile["team_id"]},
    }  # fmt: skip


def _block_actions(
    state: SlackState, user: str, blocks: list[Payload], press: Press, view_id: str = ""
) -> Payload | None:
    buttons = ({"block_id": block.get("block_id", ""), **button} for block in blocks for button in _find_buttons(block))
    action = next((button for button in buttons if button.get("action_id") == press.action_id), None)
    if action is None:
        raise SlackError("no_such_button")
    _check_dialog(action, press.dialog)
    if press.dialog == "deny":
        return None
    chosen = {"selected_option": _find_option(action, press.option)} if action["type"] == "overflow" else {}
    sent = {name: part for name, part in action.items() if name != "options"}
    fields = {**sent, **chosen, "action_ts": state.new_ts()}
    return {"type": "block_actions", **_actor_fields(state, user, view_id), "actions": [fields]}


def _check_dialog(action: Payload, dialog: str) -> None:
    """Refuse a press that does not answer the element's confirmation dialog, or answers one that it does not have."""
    if "confirm" in action and not dialog:
        raise SlackError("dialog_open")
    if dialog and "confirm" not in action:
        raise SlackError("no_such_dialog")


def _find_option(menu: Payload, value: str) -> Payload:
    option: Payload | None = next((option for option in menu["options"] if option["value"] == value), None)
    if option is None:
        raise SlackError("no_such_option")
    return option


def _find_buttons(part: Any) -> Iterator[Payload]:
    """Return buttons and overflow menus wherever they are: in a row, beside a section, on a card."""
    if isinstance(part, dict) and part.get("type") in ("button", "overflow"):
        yield part
    elif isinstance(part, dict | list):
        for inner in part.values() if isinstance(part, dict) else part:
            yield from _find_buttons(inner)


def find_view(state: SlackState, user: str, view_id: str) -> Payload:
    """Return a view that this user can see."""
    view = state.views.get(view_id)
    if view is None or view["user"] != user:
        raise SlackError("no_such_view")
    return view
