"""What Slack delivers: the slash command, the mention and the buttons, each as a Delivery."""

import time
import uuid
from typing import Any

from slack_bolt import Ack, App

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

    @app.event("app_mention")
    def on_mention(ack: Ack, event: Body, body: Body) -> None:
        who, where, text = event.get("user", ""), event["channel"], event.get("text", "")
        reception.receive(Delivery("command", body["event_id"], who, where, text, "", time.time()), ack)

    for action in ("accept", "reject", "continue", "start", "cancel"):
        _on_button(app, reception, action)


def _on_button(app: App, reception: Reception, verdict: Verdict) -> None:
    @app.action(f"run.{verdict}")
    def on_button(ack: Ack, body: Body, action: Body) -> None:
        who, where = (body.get("user") or {}).get("id", ""), (body.get("channel") or {}).get("id", "")
        message, value = (body.get("container") or {}).get("message_ts", ""), action.get("value") or ""
        url, known = body.get("response_url", ""), body.get("trigger_id") or uuid.uuid4().hex
        reception.receive(Delivery("click", known, who, where, value, url, time.time(), verdict, message), ack)
