"""Build forms for their users, and turn what they submit into deliveries. Nothing here waits for Redis.

A submission is not trusted: its metadata is signed for the user and the form, its channel must be one that the form
offered, and its command passes the same parser and permission gate as a typed one.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from bot.auth.permissions import Permission
from bot.auth.policy import Actor, Denied
from bot.commands.form_fields import FormValues, compose, form_commands, form_fields, read_values
from bot.commands.model import CommandSpec, UsageError
from bot.commands.parser import parse
from bot.commands.table import BY_NAME
from bot.commands.visibility import split_private
from bot.handlers.access import Access
from bot.handlers.delivery import Delivery
from bot.handlers.known_hosts import KnownHosts
from bot.messages.block_kit import Block, Message
from bot.messages.escape import escape_mrkdwn
from bot.messages.replies import responses
from bot.messages.views import form
from bot.messages.views.form import CommandForm, View
from bot.records import ALL_HOSTS
from imker import signing
from imker.signing import SigningKey

NO_CHANNEL = (
    "You aren't a member of a channel in which Imker accepts commands, or Slack didn't return its members. Type "
    "`/swarm` in {channels}."
)
INVALID_SUBMISSION = "This form isn't valid anymore, so nothing was started. Open a new one with `/swarm`."


@dataclass(frozen=True)
class FieldErrors:
    """What to correct in a form, by the block of the field."""

    errors: dict[str, str]


@dataclass(frozen=True)
class FormHandler:
    """Build and read forms.

    `key` signs a form's metadata; `private_reads`: whether the answers of commands that read are private; `clock`: UNIX
    seconds.
    """

    access: Access
    hosts: KnownHosts
    key: SigningKey
    private_reads: bool = False
    clock: Callable[[], float] = field(default=time.time)

    def command_form(self, user: str, channel: str, command: str) -> View | Message:
        """Return the form for a command, or why there is none.

        `channel`: where the user opened it, "" outside a channel; `command`: the one to preset, "" for none.
        """
        actor = self.access.fetch_actor(user, fresh=False)
        channels = (channel,) if channel else self.access.joined_channels(user)
        place = next(iter(channels or self.access.channels), "")
        here = self.access.authorize_membership(actor, place)
        if isinstance(here, Denied):
            return responses.denied(here)
        if not channels:
            names = " or ".join(f"<#{each}>" for each in self.access.channels)
            return responses.not_found(NO_CHANNEL.format(channels=names))
        if not self._commands(actor, channels):
            missing = self.access.authorize(actor, Permission("nodes", ALL_HOSTS), place)
            return responses.denied(missing) if isinstance(missing, Denied) else responses.not_found(INVALID_SUBMISSION)
        return self._render(actor, channels, command)

    def choose_command(self, user: str, view: Any) -> View | None:
        """Return the form again with the fields of the command that was chosen in it, None if the form is invalid."""
        metadata = self._read_metadata(user, view, "form.command")
        if metadata is None:
            return None
        chosen = read_values(view.get("state")).command
        return self._render(self.access.fetch_actor(user, fresh=False), tuple(metadata["channels"]), chosen)

    def host_options(self, user: str, view: Any, query: str) -> list[Block]:
        """Return the hosts that match the query and that the user may use the form's command on."""
        metadata = self._read_metadata(user, view, "form.command")
        if metadata is None:
            return []
        actor = self.access.fetch_actor(user, fresh=False)
        patterns = [
            pattern
            for channel in metadata["channels"]
            for pattern in self.access.allowed_commands(actor, channel).get(metadata["command"], ())
        ]
        allowed = [host for host in self.hosts.names if any(fnmatchcase(host, pattern) for pattern in patterns)]
        return form.host_options(allowed, query)

    def read_command(self, user: str, view: Any, trigger_id: str) -> Delivery | FieldErrors | Message:
        """Return the command that the form stands for, what to correct in it, or why it is refused."""
        metadata, values = self._read_metadata(user, view, "form.command"), read_values(_state(view))
        channels: list[str] = metadata["channels"] if metadata else []
        channel = values.channel or (channels[0] if len(channels) == 1 else "")
        text = compose(values)
        if not text or channel not in channels:
            return responses.not_found(INVALID_SUBMISSION)
        # A form that Slack delivers twice has one view ID, so it runs once.
        delivery = Delivery("command", view["id"], user, channel, text, "", self.clock(), trigger_id=trigger_id)
        return self._field_errors(values, text) or delivery

    def reject_form(self, delivery: Delivery, host: str) -> View:
        """Return the form that asks for the reason of a rejection. `delivery`: the click on Reject."""
        fields = {
            "value": delivery.text,
            "channel": delivery.channel,
            "message": delivery.message_ts,
            "home": delivery.from_home,
        }
        return form.reject_form(escape_mrkdwn(host), self._sign(delivery.user, "form.reject", fields))

    def read_rejection(self, user: str, view: Any, trigger_id: str) -> Delivery | Message:
        """Return the rejection with its reason as a click on Reject, or why it is refused."""
        fields = self._read_metadata(user, view, "form.reject")
        if fields is None:
            return responses.not_found(INVALID_SUBMISSION)
        return Delivery(
            "click", view["id"], user, fields["channel"], fields["value"], "", self.clock(), "reject",
            message_ts=fields["message"], trigger_id=trigger_id, from_home=fields["home"],
            reason=read_values(view.get("state")).reason,
        )  # fmt: skip

    def _render(self, actor: Actor, channels: Sequence[str], command: str) -> View:
        commands = self._commands(actor, channels)
        chosen = BY_NAME[command] if command in {spec.name for spec in commands} else None
        metadata = self._sign(
            actor.user, "form.command", {"channels": list(channels), "command": chosen.name if chosen else ""}
        )
        return form.command_form(
            CommandForm(tuple(channels), commands, chosen, bool(self.hosts.names), metadata, self.private_reads)
        )

    def _commands(self, actor: Actor, channels: Sequence[str]) -> tuple[CommandSpec, ...]:
        """Return the commands of a form that the user may use in one of the channels."""
        return form_commands({name for channel in channels for name in self.access.allowed_commands(actor, channel)})

    def _field_errors(self, values: FormValues, text: str) -> FieldErrors | None:
        """Return what the parser does not accept. Whether the user may see the host's name is up to the gate."""
        spec = BY_NAME[values.command]
        fields = form_fields(spec)
        if fields and fields.host and not values.host:
            return FieldErrors({form.COMMAND: "Choose a host for this command."})
        parsed = parse(split_private(text)[0])
        if not isinstance(parsed, UsageError):
            return None
        field_name = form.HOST if fields and fields.host else form.WORDS if fields and fields.words else form.COMMAND
        return FieldErrors({field_name: parsed.text})

    def _sign(self, user: str, kind: str, fields: dict[str, Any]) -> str:
        return signing.sign_for(self.key, _place(user, kind), json.dumps(fields))

    def _read_metadata(self, user: str, view: Any, kind: str) -> Any:
        """Return the fields that the bot put into this user's form, None if it did not."""
        if not isinstance(view, dict) or not isinstance(view.get("id"), str):
            return None
        stored = str(view.get("private_metadata", "")).encode(errors="surrogatepass")
        signed_text = signing.open_signed(self.key, _place(user, kind), stored)
        return None if signed_text is None else json.loads(signed_text)


def _place(user: str, kind: str) -> str:
    """Return what the metadata is signed for: another user's form, and another form, are invalid."""
    return f"view:{kind}:{user}"


def _state(view: Any) -> Any:
    return view.get("state") if isinstance(view, dict) else None
