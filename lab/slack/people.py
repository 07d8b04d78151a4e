"""What people do in Slack: type a command, mention the bot, press a button. Builds the payloads as Slack does. Pure."""

import time
from typing import Any

from lab.slack.state import Message, ResponseUrl, SlackRefuses, State


def command(state: State, user: str, channel: str, text: str, base: str) -> dict[str, Any]:
    """`text` begins with the slash command itself."""
    verb, _, rest = text.partition(" ")
    team = state.users[user].get("team_id", state.team["id"])
    return {
        "token": "legacy", "team_id": team, "team_domain": state.team["name"], "api_app_id": state.app["id"],
        "user_id": user, "user_name": state.users[user]["name"], "channel_id": channel,
        "channel_name": state.channels[channel]["name"], "command": verb, "text": rest,
        "trigger_id": state.new_trigger(user), "response_url": response_url(state, user, channel, "", base),
    }  # fmt: skip


def mention(state: State, user: str, channel: str, text: str) -> dict[str, Any]:
    event = {"type": "app_mention", "user": user, "channel": channel, "ts": state.ts()}
    event["text"] = f"<@{state.app['bot_user']}> {text}"
    return {
        "type": "event_callback", "team_id": state.team["id"], "api_app_id": state.app["id"],
        "event_id": state.new_id("Ev"), "event_time": int(time.time()), "event": event,
    }  # fmt: skip


def press(state: State, user: str, ts: str, action_id: str, base: str) -> dict[str, Any]:
    """Refuses a button that is not there, or that this user does not see."""
    message = state.messages.get(ts)
    if message is None or message not in state.seen_by(user, message.channel):
        raise SlackRefuses("message_not_found")
    action = next((b for b in _buttons(message) if b["action_id"] == action_id), None)
    if action is None:
        raise SlackRefuses("no_such_button")
    team = state.users[user].get("team_id", state.team["id"])
    return {
        "type": "block_actions", "team": {"id": team}, "api_app_id": state.app["id"],
        "trigger_id": state.new_trigger(user),
        "user": {"id": user, "username": state.users[user]["name"], "team_id": team},
        "channel": {"id": message.channel, "name": state.channels[message.channel]["name"]},
        "container": {"type": "message", "message_ts": ts, "channel_id": message.channel},
        "message": message.as_slack(), "response_url": response_url(state, user, message.channel, ts, base),
        "actions": [{**action, "action_ts": state.ts()}],
    }  # fmt: skip


def response_url(state: State, user: str, channel: str, ts: str, base: str) -> str:
    key = state.new_id("R")
    state.urls[key] = ResponseUrl(user, channel, ts, time.time())
    return f"{base}/response/{key}"


def _buttons(message: Message) -> list[dict[str, Any]]:
    rows = [block.get("elements", ()) for block in message.blocks if block.get("type") == "actions"]
    return [element for row in rows for element in row if element.get("type") == "button"]


def submit(state: State, user: str, view_id: str, values: dict[str, Any]) -> dict[str, Any]:
    """Refuses a view that this user does not see."""
    view = state.views.get(view_id)
    if view is None or view["user"] != user:
        raise SlackRefuses("no_such_view")
    return {
        "type": "view_submission", "team": {"id": state.team["id"]}, "api_app_id": state.app["id"],
        "user": {"id": user, "username": state.users[user]["name"], "team_id": state.team["id"]},
        "trigger_id": state.new_trigger(user), "view": {**view, "state": {"values": values}}, "response_urls": [],
    }  # fmt: skip


def open_home(state: State, user: str) -> dict[str, Any]:
    event = {"type": "app_home_opened", "user": user, "tab": "home", "channel": f"D{user}", "event_ts": state.ts()}
    return {
        "type": "event_callback", "team_id": state.team["id"], "api_app_id": state.app["id"],
        "event_id": state.new_id("Ev"), "event_time": int(time.time()), "event": event,
    }  # fmt: skip
