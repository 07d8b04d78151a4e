"""Start a run: record it in the audit log and in Redis, and enqueue its first job."""

from dataclasses import dataclass

from bot.auth.permissions import permission_for
from bot.auth.policy import Allowed
from bot.handlers.access import Invocation
from bot.handlers.audit import AuditRecorder
from bot.handlers.delivery import Delivery
from bot.messages.replies import responses
from bot.messages.runs.private_answer import WORKING
from bot.records import RunRecord
from bot.runs.store import RunStore
from bot.state.run_control import changes_host
from imker.failpoints import failpoint
from imker.protocol.commands import Command
from imker.protocol.run_id import run_id

MAX_OPEN_RUNS = 500  # runs that are queued, running, or waiting, in all channels


@dataclass(frozen=True)
class RunStarter:
    """Start runs of commands that are already authorized."""

    runs: RunStore
    audit: AuditRecorder

    def start(self, invocation: Invocation, command: Command, allowed: Allowed) -> None:
        """Record and enqueue the command, or reply that too many runs are open. Raises RedisError, AuditLogBroken."""
        if len(self.runs.open_runs()) >= MAX_OPEN_RUNS:
            return invocation.reply(responses.too_many_runs(MAX_OPEN_RUNS))
        delivery, permission = invocation.delivery, permission_for(command)
        run = run_id(_trigger(invocation, command))
        if invocation.run_key and (earlier := self._earlier_run(run, delivery)):
            return invocation.reply(responses.button_used(earlier))
        record = RunRecord(
            run,
            command,
            " ".join(invocation.text.split()),
            delivery.user,
            delivery.channel,
            delivery.received_at,
            allowed_hosts=(permission.host,) if permission.host else allowed.hosts,
            allowed_services=allowed.services,
            is_private=invocation.is_private,
        )
        self.audit.run_started(record)
        failpoint("run.audited")
        self.runs.start(record, delivery.response_url)
        if record.is_private:
            invocation.reply(responses.info(WORKING))
        return None

    def _earlier_run(self, run: str, delivery: Delivery) -> RunRecord | None:
        """Return the run that another click on the same button started, None for a repeat of this delivery."""
        record = self.runs.record(run)
        is_own = record and (record.requester, record.requested_at) == (delivery.user, delivery.received_at)
        return None if is_own else record


def _trigger(invocation: Invocation, command: Command) -> str:
    """Return what names the run: a button starts a change once, and a read at every click."""
    is_once = invocation.run_key and changes_host(command)
    return f"next {invocation.run_key}" if is_once else invocation.delivery.delivery_id
