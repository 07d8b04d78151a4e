"""Register what Slack delivers: the slash command, mentions, and buttons, each as a Delivery."""

import re
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from slack_bolt import Ack, App, BoltResponse

from bot.handlers.delivery import Delivery
from bot.listeners.receiver import DeliveryReceiver
from bot.messages.next_steps import ACTION, MENU_ACTION
from bot.records import Choice

Body = dict[str, Any]


def register(app: App, receiver: DeliveryReceiver) -> None:
    """Register all listeners of the Bolt app."""

    @app.command("/swarm")
    def on_command(ack: Ack, body: Body) -> None:
        user, channel, text = body["user_id"], body["channel_id"], body.get("text") or ""
        url = body.get("response_url", "")
        receiver.receive(Delivery("command", body["trigger_id"], user, channel, text, url, time.time()), ack)

    def persist_first(event: Body, body: Body, next: Callable[[], BoltResponse]) -> BoltResponse:
        """Persist the mention here: Bolt acknowledges an event before its listener runs."""
        return next() if receiver.persist(_mention_delivery(event, body)) else BoltResponse(status=200)

    @app.event("app_mention", middleware=[persist_first])
    def on_mention(event: Body, body: Body) -> None:
        receiver.handle(_mention_delivery(event, body))

    for action in ("accept", "reject", "continue", "start", "cancel"):
        _on_button(app, receiver, action)

    @app.action(re.compile(rf"^{re.escape(ACTION)}[a-z_]+$"))
    def on_next_step(ack: Ack, body: Body, action: Body) -> None:
        step = action["action_id"].removeprefix(ACTION)
        receiver.receive(replace(_click(body, action.get("value") or ""), step=step), ack)

    @app.action(MENU_ACTION)
    def on_menu(ack: Ack, body: Body, action: Body) -> None:
        value, _, step = str((action.get("selected_option") or {}).get("value") or "").rpartition(":")
        receiver.receive(replace(_click(body, value), step=step or "none"), ack)


def _mention_delivery(event: Body, body: Body) -> Delivery:
    user, channel, text = event.get("user", ""), event["channel"], event.get("text", "")
    return Delivery("command", body["event_id"], user, channel, text, "", time.time())


def _on_button(app: App, receiver: DeliveryReceiver, choice: Choice) -> None:
    @app.action(f"run.{choice}")
    def on_button(ack: Ack, body: Body, action: Body) -> None:
        receiver.receive(replace(_click(body, action.get("value") or ""), choice=choice), ack)


def _click(body: Body, value: str) -> Delivery:
    """Return the delivery of a click on a button or a menu's item with this value."""
    user, channel = (body.get("user") or {}).get("id", ""), (body.get("channel") or {}).get("id", "")
    message = (body.get("container") or {}).get("message_ts", "")
    url, delivery_id = body.get("response_url", ""), body.get("trigger_id") or uuid.uuid4().hex
    return Delivery("click", delivery_id, user, channel, value, url, time.time(), message_ts=message)
