"""Open forms and receive what they submit. A form opens within three seconds, whether or not Redis responds."""

import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooSlow
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import structlog
from redis.exceptions import RedisError
from slack_bolt import Ack, App
from slack_sdk import WebClient
from slack_sdk.errors import SlackClientError

from bot.commands.normalize import normalize
from bot.handlers.commands import CommandHandler
from bot.handlers.delivery import Delivery
from bot.handlers.forms import FieldErrors, FormHandler
from bot.listeners.receiver import NOT_SAVED_YET, DeliveryReceiver
from bot.messages.block_kit import Message
from bot.messages.replies import responses
from bot.messages.views import form
from bot.messages.views.form import FORM_GONE, View
from bot.runs.decisions import TamperedRecord

Body = dict[str, Any]
log = structlog.get_logger()
SHORTCUT = "swarm_form"  # callback ID of the global shortcut in bot/manifest.yaml
PREVIEW_TIMEOUT = 1.2  # seconds that a click on Reject waits for Redis; Slack's trigger is valid for 3
PREVIEW_THREADS = 8
NOT_OPENED = "Slack didn't open the form in time. Try again, or type the command: `/swarm help`."


@dataclass(frozen=True)
class FormListener:
    """Open forms, and hand submissions to the receiver like typed commands and clicks."""

    receiver: DeliveryReceiver
    handler: CommandHandler
    forms: FormHandler
    client: WebClient
    _previews: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(PREVIEW_THREADS, "preview"))

    def open_command(self, ack: Ack, body: Body, channel: str, command: str = "") -> None:
        """Open the form for a command. `channel`: where it was asked for, "" outside a channel."""
        ack()
        delivery = self._delivery(body, channel)
        if self.receiver.is_over_limit(delivery):
            return
        opened = self.forms.command_form(delivery.user, channel, command)
        if isinstance(opened, Message):
            self.receiver.refuse(delivery, opened)
        elif self._open(delivery, opened, body):
            self.receiver.record_form(delivery)

    def open_reject(self, ack: Ack, body: Body, delivery: Delivery) -> None:
        """Open the form for the reason of a rejection, unless it would be refused anyway."""
        ack()
        if self.receiver.is_over_limit(delivery):
            return
        preview = self._preview(delivery)
        if isinstance(preview, Message):
            self.receiver.refuse(delivery, preview)
        else:
            self._open(delivery, self.forms.reject_form(delivery, preview), body)

    def choose_command(self, ack: Ack, body: Body) -> None:
        """Show the fields of the command that was chosen in the form."""
        ack()
        current = body.get("view") or {}
        view = self.forms.choose_command(_user(body), current)
        if view is None:
            return self.receiver.refuse(self._delivery(body, ""), responses.not_found(FORM_GONE))
        try:
            self.client.views_update(view_id=current["id"], hash=current.get("hash"), view=view)
        except (SlackClientError, OSError) as error:
            log.info("could not update a form", error=str(error))

    def suggest_hosts(self, ack: Ack, body: Body) -> None:
        """Return the hosts that match what the user typed into the form."""
        ack(options=self.forms.host_options(_user(body), body.get("view"), str(body.get("value") or "")))

    def submit(self, ack: Ack, body: Body, read: Callable[[str, Any, str], Delivery | FieldErrors | Message]) -> None:
        """Receive a submitted form: show what to correct, or why it is refused, or handle it as a delivery."""
        submitted = read(_user(body), body.get("view"), str(body.get("trigger_id") or ""))
        if isinstance(submitted, FieldErrors):
            ack(response_action="errors", errors=submitted.errors)
        elif isinstance(submitted, Message):
            self._show_refusal(ack, body, submitted)
        else:
            view = form.notice(responses.info(NOT_SAVED_YET))
            self.receiver.receive(submitted, ack, partial(ack, response_action="update", view=view))

    def refuse_unknown(self, ack: Ack, body: Body) -> None:
        """Reply to a button, a form, or a shortcut that this version does not know."""
        if body.get("type") == "view_submission":
            return self._show_refusal(ack, body, responses.not_found(FORM_GONE))
        ack()
        if body.get("type") == "block_actions" and any(action.get("url") for action in body.get("actions") or ()):
            return None  # a link needs no reply
        return self.receiver.refuse(self._delivery(body, _channel(body)), responses.not_found(FORM_GONE))

    def _show_refusal(self, ack: Ack, body: Body, message: Message) -> None:
        """Show the refusal in place of the submitted form, and record it."""
        ack(response_action="update", view=form.notice(message))
        self.receiver.record_refusal(self._delivery(body, ""), message)

    def _open(self, delivery: Delivery, view: View, body: Body) -> bool:
        try:
            self.client.views_open(trigger_id=str(body.get("trigger_id") or ""), view=view)
        except (SlackClientError, OSError) as error:
            log.warning("could not open a form", error=str(error))
            self.receiver.refuse(delivery, responses.info(NOT_OPENED))
            return False
        return True

    def _preview(self, delivery: Delivery) -> str | Message:
        """Return the host, or why the click would be refused; "" if Redis does not say in time."""
        try:
            return self._previews.submit(self.handler.preview_action, delivery, "reject").result(PREVIEW_TIMEOUT)
        except (RedisError, TamperedRecord, TooSlow) as error:
            log.warning("could not check a click yet", error=str(error))
            return ""

    def _delivery(self, body: Body, channel: str) -> Delivery:
        """Return what a reply and the audit log need. Outside a channel, the fallback is the first one."""
        trigger, url = str(body.get("trigger_id") or ""), str(body.get("response_url") or "")
        place = channel or next(iter(self.handler.access.channels), "")
        return Delivery("command", trigger, _user(body), place, "", url, time.time(), trigger_id="" if url else trigger)


def opens_form(body: Body) -> bool:
    """Return whether the request only opens a form, changes what it shows, or searches in it."""
    if "command" in body:
        return not normalize(str(body.get("text") or "")).strip()
    if body.get("type") != "block_actions":
        return body.get("type") in ("shortcut", "block_suggestion")
    actions = body.get("actions")
    names = [str(action.get("action_id")) if isinstance(action, dict) else "" for action in actions or ()]
    return bool(names) and all(name == "run.reject" or name.startswith("form.") for name in names)


def register_forms(app: App, forms: FormListener) -> None:
    """Register forms, shortcuts, and, last, everything that no other listener takes."""

    @app.shortcut(SHORTCUT)
    def on_shortcut(ack: Ack, body: Body) -> None:
        forms.open_command(ack, body, "")

    @app.action(re.compile(rf"^{re.escape(form.OPEN_FORM)}\."))
    def on_open(ack: Ack, body: Body, action: Body) -> None:
        forms.open_command(ack, body, _channel(body), str(action.get("value") or ""))

    @app.action(form.CHOOSE_COMMAND)
    def on_choice(ack: Ack, body: Body) -> None:
        forms.choose_command(ack, body)

    @app.options(form.CHOOSE_HOST)
    def on_search(ack: Ack, body: Body) -> None:
        forms.suggest_hosts(ack, body)

    @app.view("form.command")
    def on_command(ack: Ack, body: Body) -> None:
        forms.submit(ack, body, forms.forms.read_command)

    @app.view("form.reject")
    def on_reject(ack: Ack, body: Body) -> None:
        forms.submit(ack, body, forms.forms.read_rejection)

    for register in (app.action, app.view, app.shortcut):

        @register(re.compile(""))
        def on_unknown(ack: Ack, body: Body) -> None:
            forms.refuse_unknown(ack, body)


def _user(body: Body) -> str:
    return str((body.get("user") or {}).get("id") or body.get("user_id") or "")


def _channel(body: Body) -> str:
    return str((body.get("channel") or {}).get("id") or "")
