"""Pause, resume, cancel and retry runs."""

from dataclasses import dataclass, replace

from bot.auth.permissions import permission_for
from bot.auth.policy import Actor, Allowed, Denied
from bot.commands.model import ControlRun
from bot.handlers.access import Access, Invocation
from bot.handlers.audit import AuditRecorder
from bot.handlers.decisions import DecisionHandler
from bot.handlers.start import RunStarter
from bot.handlers.status import run_with_fleet
from bot.messages.block_kit import Message
from bot.messages.replies import responses
from bot.records import RunRecord
from bot.runs.snapshots import RunSnapshot
from bot.runs.store import RunStore
from bot.state import run_control
from bot.state.run_control import RunAction
from imker.protocol.commands import Command, Hold

PAST_TENSE: dict[RunAction, str] = {
    "pause": "paused", "resume": "resumed", "cancel": "cancelled", "retry": "retried",
}  # fmt: skip


@dataclass(frozen=True)
class RunController:
    """Apply pause, resume, cancel and retry: a waiting run is decided, a running one is held between two steps."""

    access: Access
    runs: RunStore
    audit: AuditRecorder
    starter: RunStarter
    decisions: DecisionHandler

    def handle_command(self, invocation: Invocation, command: ControlRun, checked: Allowed | Denied) -> None:
        """Find the run, authorize, and apply. `checked`: whether the user has the command's right on any host."""
        actor, channel, action = invocation.actor, invocation.channel, command.action
        here = self.access.authorize_membership(actor, channel)
        if isinstance(here, Allowed) and (held_run := self._already_held(invocation, action)):
            return invocation.reply(responses.info(run_control.confirmation(held_run, action)))
        candidates = self._candidates(command, channel, actor.user)
        snapshot = candidates[0] if len(candidates) == 1 else None
        access = self._authorize(actor, action, snapshot.record, here) if snapshot else checked
        if isinstance(access, Denied):
            return invocation.reply(responses.denied(access))
        if snapshot is None:
            return invocation.reply(_no_target(command, len(candidates)))
        return self._apply(invocation, snapshot, action)

    def _authorize(
        self, actor: Actor, action: RunAction, record: RunRecord, here: Allowed | Denied
    ) -> Allowed | Denied:
        """Return whether this person may do this to the run. The requester may always cancel."""
        cancels_own = action == "cancel" and record.requester == actor.user
        return here if cancels_own else self.access.authorize_for_run(actor, action, record)

    def _apply(self, invocation: Invocation, snapshot: RunSnapshot, action: RunAction) -> None:
        delivery, record = invocation.delivery, snapshot.record
        match self._resolve(snapshot, action):
            case run_control.StartRun(command, text):
                again = replace(invocation, text=text, is_private=self.runs.is_private(record))
                return self._start_again(again, command)
            case run_control.DecideRun(choice):
                return self.decisions.decide(invocation, snapshot, record.job_count, choice)
            case run_control.SetHold(kind, confirmation):
                self.audit.hold(delivery.user, record, delivery.delivery_id, kind)
                self.runs.hold(record.run, Hold(kind, delivery.user, delivery.received_at))
                return invocation.reply(responses.info(confirmation))
            case run_control.Rejected(reason):
                return invocation.reply(responses.not_found(reason))

    def _start_again(self, invocation: Invocation, command: Command) -> None:
        """Start the same command as a new run, which takes the right to that command too."""
        allowed = self.access.authorize(invocation.actor, permission_for(command), invocation.channel)
        if isinstance(allowed, Denied):
            return invocation.reply(responses.denied(allowed))
        return self.starter.start(invocation, command, allowed)

    def _already_held(self, invocation: Invocation, action: RunAction) -> str:
        """Return the run that this very delivery holds already, "" for none.

        A bot that crashed after it set the hold could not reply, so the delivery is handled again.
        """
        expected = (action, invocation.actor.user, invocation.delivery.received_at)
        open_holds = self.runs.open_holds().items()
        return next(
            (run for run, hold in open_holds if hold and (hold.action, hold.user, hold.requested_at) == expected), ""
        )

    def _candidates(self, command: ControlRun, channel: str, user: str) -> list[RunSnapshot]:
        """Return the named run; without a name, the open runs that the action applies to, in this channel.

        A fleet's run counts, but not those of its hosts. Another user's private run does not exist for `user`.
        """
        if command.run:
            named = self.runs.snapshot(command.run)
            is_here = named and named.record.channel == channel and not self.runs.is_hidden(named.record, user)
            return [named] if named and is_here else []
        runs = [run for run in self.runs.open_in(channel) if not run.record.parent_run]
        return [run for run in runs if not isinstance(self._resolve(run, command.action), run_control.Rejected)]

    def _resolve(self, snapshot: RunSnapshot, action: RunAction) -> run_control.Resolution:
        return run_control.resolve(*run_with_fleet(self.runs, snapshot), action)


def _no_target(command: ControlRun, candidate_count: int) -> Message:
    if command.run:
        return responses.not_found(f"There is no run `{command.run}` in this channel. See `/swarm status`.")
    if not candidate_count:
        return responses.not_found(f"No run in this channel can be {PAST_TENSE[command.action]}. See `/swarm status`.")
    return responses.not_found(
        f"More than one run can be {PAST_TENSE[command.action]}. Specify one: `/swarm {command.action} RUN`."
    )
