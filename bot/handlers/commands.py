"""Handle commands and button clicks: parse, authorize, dispatch. Every one gets a reply or a run's message."""

from collections.abc import Callable
from dataclasses import replace

from bot.auth.permissions import permission_for
from bot.auth.policy import Allowed, Denied
from bot.commands.model import ControlRun, DecideRun, ParsedCommand, ShowAudit, ShowHelp, ShowStatus, UsageError
from bot.commands.normalize import normalize
from bot.commands.parser import parse
from bot.commands.table import spec_of
from bot.commands.visibility import split_private
from bot.handlers.access import Access, Invocation
from bot.handlers.audit import AuditRecorder
from bot.handlers.decisions import DecisionHandler
from bot.handlers.delivery import Delivery
from bot.handlers.known_hosts import KnownHosts
from bot.handlers.next_steps import NextStepHandler
from bot.handlers.run_control import RunController
from bot.handlers.show import ShowHandler
from bot.handlers.start import RunStarter
from bot.handlers.status import StatusHandler
from bot.messages import audit_table, command_help, responses
from bot.messages.block_kit import Message, Reply
from bot.messages.links import add_references, run_ids
from bot.records import Choice
from bot.runs.store import RunStore
from bot.settings import Settings
from bot.slack.users import UserDirectory
from imker.audit_log import AuditLog
from imker.protocol.commands import Command, RunDoctor
from imker.protocol.values import Finding

RunChecks = Callable[[], tuple[Finding, ...]]


class CommandHandler:
    """Dispatch deliveries to the handler of their command.

    `team`: ID of this workspace; `run_checks`: the doctor's checks of what the bot needs.
    """

    def __init__(
        self,
        settings: Settings,
        runs: RunStore,
        users: UserDirectory,
        team: str,
        audit_log: AuditLog,
        run_checks: RunChecks,
    ) -> None:
        self._runs = runs
        self._reads = settings.reads
        self._audit_log = audit_log
        self._run_checks = run_checks
        self.access = Access(settings.rights, settings.channels, users, team)
        self.hosts = KnownHosts(runs.hosts)
        self.audit = AuditRecorder(audit_log, self.access.outsider_kind)
        self._status = StatusHandler(self.access, runs)
        self._starter = RunStarter(runs, self.audit)
        self._decisions = DecisionHandler(self.access, runs, self.audit, self._starter)
        self._show_answer = ShowHandler(self.access, runs, self.audit)
        self._control = RunController(self.access, runs, self.audit, self._starter, self._decisions)
        self._next_steps = NextStepHandler(runs, self.handle_command)

    def with_references(self, message: Message) -> Message:
        """Return the message with links to the runs that it names, and hosts as code. Raises RedisError.

        Redis is read only if the message names a run, so that other replies arrive in time while Redis is slow.
        """
        runs = run_ids(message)
        if runs:
            self.hosts.refresh()
        return add_references(message, self._runs.posted_messages.links(runs), self.hosts.names)

    def handle_action(self, delivery: Delivery, choice: Choice, reply: Reply) -> None:
        """Handle a button click. Raises RedisError, AuditLogBroken."""
        self._decisions.handle_button(delivery, choice, reply)

    def preview_action(self, delivery: Delivery, choice: Choice) -> str | Message:
        """Return the host that a click is about, or why it would be refused now. Raises RedisError."""
        return self._decisions.preview_button(delivery, choice)

    def handle_next_step(self, delivery: Delivery, reply: Reply) -> None:
        """Handle a click on the button of a next step. Raises RedisError, AuditLogBroken."""
        self._next_steps.handle_button(delivery, reply)

    def handle_show(self, delivery: Delivery, reply: Reply) -> None:
        """Handle a click on the button of a private answer. Raises RedisError, AuditLogBroken."""
        self._show_answer.handle_button(delivery, reply)

    def handle_command(self, delivery: Delivery, reply: Reply, run_key: str = "") -> None:
        """Handle a typed command. `run_key`: see Invocation. Raises RedisError, AuditLogBroken."""
        text, is_private = split_private(delivery.text)
        parsed = parse(text, hosts=self._runs.hosts())
        if isinstance(parsed, UsageError):
            return reply(self._usage_reply(parsed, delivery))
        permission = permission_for(parsed)
        right = spec_of(parsed).right
        fresh = right in ("change", "accept")
        actor = self.access.fetch_actor(delivery.user, fresh=fresh)
        checked = self.access.authorize(actor, permission, delivery.channel)
        private = right == "read" and (is_private or self._reads == "private")
        invocation = Invocation(actor, delivery, reply, normalize(text).strip(), run_key, private)
        return self._dispatch(invocation, parsed, checked)

    def _dispatch(self, invocation: Invocation, command: ParsedCommand, checked: Allowed | Denied) -> None:
        """Hand the command to its handler. What names a run is authorized again, for the run's host."""
        match command:
            case DecideRun():
                return self._decisions.handle_command(invocation, command, checked)
            case ControlRun():
                return self._control.handle_command(invocation, command, checked)
        if isinstance(checked, Denied):
            return invocation.reply(responses.denied(checked))
        match command:
            case ShowHelp() | ShowStatus() | ShowAudit():
                return self._show(invocation, command, checked)
            case _:
                return self._start(invocation, command, checked)

    def _show(self, invocation: Invocation, command: ShowHelp | ShowStatus | ShowAudit, allowed: Allowed) -> None:
        """Record the command, and reply with what it shows."""
        actor, delivery, channel = invocation.actor, invocation.delivery, invocation.channel
        self.audit.command(delivery.user, channel, delivery.delivery_id, f"/swarm {invocation.text}")
        match command:
            case ShowHelp():
                message = command_help.help_for(self.access.allowed_commands(actor, channel), self._runs.hosts())
            case ShowStatus(run):
                message = self._status.status(actor, channel, run)
            case ShowAudit(subject):
                entries = self._audit_log.newest_first()
                readable = audit_table.filter_entries(entries, subject, channel, allowed.hosts)
                message = audit_table.render_table(readable, subject)
        invocation.reply(message)

    def _start(self, invocation: Invocation, command: Command, allowed: Allowed) -> None:
        """Start the command's run. The doctor also replies with the bot's own checks."""
        self._starter.start(invocation, command, allowed)
        if isinstance(command, RunDoctor):
            invocation.reply(responses.doctor_report(self._run_checks()))

    def _usage_reply(self, error: UsageError, delivery: Delivery) -> Message:
        """Suggest corrections only to users who may use the bot here. Invalid input is never stored."""
        actor = self.access.fetch_actor(delivery.user, fresh=False)
        here = self.access.authorize_membership(actor, delivery.channel)
        if isinstance(here, Denied):
            return replace(responses.denied(here), refusal="misuse")
        return responses.usage_error(error, self.access.allowed_commands(actor, delivery.channel), self._runs.hosts())
