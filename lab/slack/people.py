"""What people do in Slack: type a command, mention the bot, press a button. Builds the payloads as Slack does.

Raises SlackRefuses where Slack does not let them.
"""

import time
from collections.abc import Iterator
from typing import Any

from lab.slack.state import Message, ResponseUrl, SlackRefuses, State

Payload = dict[str, Any]


def command(state: State, user: str, channel: str, text: str) -> Payload:
    """`text` begins with the slash command itself."""
    _present(state, user, channel)
    verb, _, rest = text.partition(" ")
    if verb not in state.manifest.commands:
        raise SlackRefuses("no_such_command")
    return {
        "token": "legacy", "team_id": state.users[user]["team_id"], "team_domain": state.team["name"],
        "api_app_id": state.app["id"], "user_id": user, "user_name": state.users[user]["name"], "channel_id": channel,
        "channel_name": state.channels[channel]["name"], "command": verb, "text": rest,
        "trigger_id": state.new_trigger(user), "response_url": response_url(state, user, channel, ""),
    }  # fmt: skip


def mention(state: State, user: str, channel: str, text: str, metadata: Payload) -> Payload:
    """It stands in the channel, whether the app hears of it or not. `metadata`: as another app could add it."""
    _present(state, user, channel)
    said = Message(state.ts(), channel, user, f"<@{state.app['bot_user']}> {text}", metadata=metadata)
    state.post(said)
    return _event(state, {"type": "app_mention", "user": user, "channel": channel, "ts": said.ts, "text": said.text})


def press(state: State, user: str, ts: str, action_id: str) -> Payload:
    """Refuses a button that is not there, or that this user does not see."""
    message = state.messages.get(ts)
    if message is None or message not in state.seen_by(user, message.channel):
        raise SlackRefuses("message_not_found")
    return {
        **_pressed(state, user, message.blocks, action_id),
        "channel": {"id": message.channel, "name": state.channels[message.channel]["name"]},
        "container": {"type": "message", "message_ts": ts, "channel_id": message.channel},
        "message": message.as_slack(), "response_url": response_url(state, user, message.channel, ts),
    }  # fmt: skip


def press_in(state: State, user: str, view_id: str, action_id: str) -> Payload:
    """A button of a modal, or of the home tab."""
    view = _view(state, user, view_id)
    container = {"type": "view", "view_id": view_id}
    return {**_pressed(state, user, view["blocks"], action_id), "container": container, "view": view}


def submit(state: State, user: str, view_id: str, values: dict[str, Any]) -> Payload:
    view = {**_view(state, user, view_id), "state": {"values": values}}
    return {"type": "view_submission", **_acting(state, user), "view": view, "response_urls": []}


def open_home(state: State, user: str) -> Payload:
    _active(state, user)
    opened = {"type": "app_home_opened", "user": user, "tab": "home", "channel": f"D{user}", "event_ts": state.ts()}
    return _event(state, opened)


def response_url(state: State, user: str, channel: str, ts: str) -> str:
    key = state.new_id("R")
    state.urls[key] = ResponseUrl(user, channel, ts, time.time())
    return f"{state.base}/response/{key}"


def _active(state: State, user: str) -> None:
    if user not in state.users:
        raise SlackRefuses("user_not_found")
    if state.users[user].get("deleted"):
        raise SlackRefuses("account_inactive")


def _present(state: State, user: str, channel: str) -> None:
    """People write where they are, and where that is allowed."""
    _active(state, user)
    if channel not in state.channels:
        raise SlackRefuses("channel_not_found")
    if user not in state.channels[channel]["members"]:
        raise SlackRefuses("not_in_channel")
    if state.channels[channel].get("is_archived"):
        raise SlackRefuses("is_archived")


def _event(state: State, event: Payload) -> Payload:
    return {
        "type": "event_callback", "team_id": state.team["id"], "api_app_id": state.app["id"],
        "event_id": state.new_id("Ev"), "event_time": int(time.time()), "event": event,
    }  # fmt: skip


def _acting(state: State, user: str) -> Payload:
    _active(state, user)
    known = state.users[user]
    return {
        "team": {"id": known["team_id"]}, "api_app_id": state.app["id"], "trigger_id": state.new_trigger(user),
        "user": {"id": user, "username": known["name"], "team_id": known["team_id"]},
    }  # fmt: skip


def _pressed(state: State, user: str, blocks: list[Payload], action_id: str) -> Payload:
    found = ({"block_id": block.get("block_id", ""), **one} for block in blocks for one in _buttons(block))
    action = next((one for one in found if one.get("action_id") == action_id), None)
    if action is None:
        raise SlackRefuses("no_such_button")
    return {"type": "block_actions", **_acting(state, user), "actions": [{**action, "action_ts": state.ts()}]}


def _buttons(part: Any) -> Iterator[Payload]:
    """Wherever they stand: in a row, beside a section, on a card."""
    if isinstance(part, dict) and part.get("type") == "button":
        yield part
    elif isinstance(part, dict | list):
        for inner in part.values() if isinstance(part, dict) else part:
            yield from _buttons(inner)


def _view(state: State, user: str, view_id: str) -> Payload:
    """One that this user sees."""
    view = state.views.get(view_id)
    if view is None or view["user"] != user:
        raise SlackRefuses("no_such_view")
    return view
