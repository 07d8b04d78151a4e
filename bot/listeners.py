"""What Slack delivers: the slash command, the mention and the buttons, each as a Delivery."""

import time
import uuid
from collections.abc import Callable
from typing import Any

from slack_bolt import Ack, App, BoltResponse

from bot.inbox import Delivery
from bot.reception import Reception
from bot.record import Verdict

Body = dict[str, Any]


def register(app: App, reception: Reception) -> None:
    @app.command("/swarm")
    def on_command(ack: Ack, body: Body) -> None:
        who, where, text = body["user_id"], body["channel_id"], body.get("text") or ""
        url = body.get("response_url", "")
        reception.receive(Delivery("command", body["trigger_id"], who, where, text, url, time.time()), ack)

    def taken(event: Body, body: Body, next: Callable[[], BoltResponse]) -> BoltResponse:
        """Bolt acknowledges an event before its listener runs: it is written down before that."""
        return next() if reception.take(_mention(event, body)) else BoltResponse(status=200)

    @app.event("app_mention", middleware=[taken])
    def on_mention(event: Body, body: Body) -> None:
        reception.deal_with(_mention(event, body))

    for action in ("accept", "reject", "continue", "start", "cancel"):
        _on_button(app, reception, action)


def _mention(event: Body, body: Body) -> Delivery:
    who, where, text = event.get("user", ""), event["channel"], event.get("text", "")
    return Delivery("command", body["event_id"], who, where, text, "", time.time())


def _on_button(app: App, reception: Reception, verdict: Verdict) -> None:
    @app.action(f"run.{verdict}")
    def on_button(ack: Ack, body: Body, action: Body) -> None:
        who, where = (body.get("user") or {}).get("id", ""), (body.get("channel") or {}).get("id", "")
        message, value = (body.get("container") or {}).get("message_ts", ""), action.get("value") or ""
        url, known = body.get("response_url", ""), body.get("trigger_id") or uuid.uuid4().hex
        reception.receive(Delivery("click", known, who, where, value, url, time.time(), verdict, message), ack)
