"""Register what Slack delivers: the slash command, mentions, and buttons, each as a Delivery."""

import time
import uuid
from collections.abc import Callable
from typing import Any

from slack_bolt import Ack, App, BoltResponse

from bot.handlers.delivery import Delivery
from bot.listeners.receiver import DeliveryReceiver
from bot.messages.private_answer import SHOW_ACTION
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

    @app.action(SHOW_ACTION)
    def on_show(ack: Ack, body: Body, action: Body) -> None:
        user, channel = (body.get("user") or {}).get("id", ""), (body.get("channel") or {}).get("id", "")
        url, delivery_id = body.get("response_url", ""), body.get("trigger_id") or uuid.uuid4().hex
        value = action.get("value") or ""
        receiver.receive(Delivery("click", delivery_id, user, channel, value, url, time.time(), step="show"), ack)


def _mention_delivery(event: Body, body: Body) -> Delivery:
    user, channel, text = event.get("user", ""), event["channel"], event.get("text", "")
    return Delivery("command", body["event_id"], user, channel, text, "", time.time())


def _on_button(app: App, receiver: DeliveryReceiver, choice: Choice) -> None:
    @app.action(f"run.{choice}")
    def on_button(ack: Ack, body: Body, action: Body) -> None:
        user, channel = (body.get("user") or {}).get("id", ""), (body.get("channel") or {}).get("id", "")
        message, value = (body.get("container") or {}).get("message_ts", ""), action.get("value") or ""
        url, delivery_id = body.get("response_url", ""), body.get("trigger_id") or uuid.uuid4().hex
        receiver.receive(Delivery("click", delivery_id, user, channel, value, url, time.time(), choice, message), ack)
