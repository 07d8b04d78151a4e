"""Register what Slack delivers: the slash command, mentions, buttons, forms, and events."""

import re
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from slack_bolt import Ack, App, BoltResponse

from bot.commands.normalize import normalize
from bot.handlers.delivery import SHOW_STEP, Delivery
from bot.listeners.forms import FormListener, register_forms
from bot.listeners.receiver import DeliveryReceiver
from bot.messages.next_steps import ACTION, MENU_ACTION
from bot.messages.runs.private_answer import SHOW_ACTION
from bot.messages.views.form import RUN_COMMAND
from bot.records import Choice

Body = dict[str, Any]


def register(app: App, receiver: DeliveryReceiver, forms: FormListener) -> None:
    """Register the command, mentions, buttons, and forms."""

    @app.command("/swarm")
    def on_command(ack: Ack, body: Body) -> None:
        if not normalize(body.get("text") or "").strip():
            return forms.open_command(ack, body, body["channel_id"])
        user, channel, text = body["user_id"], body["channel_id"], body.get("text") or ""
        url = body.get("response_url", "")
        return receiver.receive(Delivery("command", body["trigger_id"], user, channel, text, url, time.time()), ack)

    def persist_first(event: Body, body: Body, next: Callable[[], BoltResponse]) -> BoltResponse:
        """Persist the mention here: Bolt acknowledges an event before its listener runs."""
        return next() if receiver.persist(_mention_delivery(event, body)) else BoltResponse(status=200)

    @app.event("app_mention", middleware=[persist_first])
    def on_mention(event: Body, body: Body) -> None:
        receiver.handle(_mention_delivery(event, body))

    for action in ("accept", "continue", "start", "cancel"):
        _on_button(app, action, lambda ack, _, delivery: receiver.receive(delivery, ack))
    _on_button(app, "reject", forms.open_reject)

    @app.action(re.compile(rf"^{re.escape(RUN_COMMAND)}\."))
    def on_command_button(ack: Ack, body: Body, action: Body) -> None:
        receiver.receive(replace(_click(body, action.get("value") or ""), kind="command"), ack)

    @app.action(re.compile(rf"^{re.escape(ACTION)}[a-z_]+$"))
    def on_next_step(ack: Ack, body: Body, action: Body) -> None:
        step = next_step_name(action["action_id"].removeprefix(ACTION))
        receiver.receive(replace(_click(body, action.get("value") or ""), step=step), ack)

    @app.action(MENU_ACTION)
    def on_menu(ack: Ack, body: Body, action: Body) -> None:
        value, _, step = str((action.get("selected_option") or {}).get("value") or "").rpartition(":")
        receiver.receive(replace(_click(body, value), step=next_step_name(step)), ack)

    @app.action(SHOW_ACTION)
    def on_show(ack: Ack, body: Body, action: Body) -> None:
        receiver.receive(replace(_click(body, action.get("value") or ""), step=SHOW_STEP), ack)

    register_forms(app, forms)


def _mention_delivery(event: Body, body: Body) -> Delivery:
    user, channel, text = event.get("user", ""), event["channel"], event.get("text", "")
    return Delivery("command", body["event_id"], user, channel, text, "", time.time())


def _on_button(app: App, choice: Choice, handle: Callable[[Ack, Body, Delivery], None]) -> None:
    @app.action(f"run.{choice}")
    def on_button(ack: Ack, body: Body, action: Body) -> None:
        handle(ack, body, replace(_click(body, action.get("value") or ""), choice=choice))


def next_step_name(name: str) -> str:
    """Return the name, or "none" for one that is not the name of a next step."""
    return "none" if name in ("", SHOW_STEP) else name


def _click(body: Body, value: str) -> Delivery:
    """Return the delivery of a click on a button or a menu's item with this value.

    In the Home tab, which has no channel and no `response_url`, the reply opens a modal.
    """
    user, channel = (body.get("user") or {}).get("id", ""), (body.get("channel") or {}).get("id", "")
    message = (body.get("container") or {}).get("message_ts", "")
    url, trigger = body.get("response_url") or "", body.get("trigger_id") or uuid.uuid4().hex
    from_home = (body.get("view") or {}).get("type") == "home"
    return Delivery(
        "click", trigger, user, channel, value, url, time.time(), message_ts=message,
        trigger_id="" if url else trigger, from_home=from_home,
    )  # fmt: skip
