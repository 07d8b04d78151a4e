"""Start a run: record it in the audit log and in Redis, and enqueue its first job."""

from dataclasses import dataclass

from bot.auth.permissions import permission_for
from bot.auth.policy import Allowed
from bot.handlers.access import Invocation
from bot.handlers.audit import AuditRecorder
from bot.messages import responses
from bot.messages.private_answer import WORKING
from bot.records import RunRecord, run_id
from bot.runs.store import RunStore
from imker.failpoints import failpoint
from imker.protocol.commands import Command

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
        delivery, host = invocation.delivery, permission_for(command).host
        record = RunRecord(
            run_id(delivery.delivery_id),
            command,
            " ".join(invocation.text.split()),
            delivery.user,
            delivery.channel,
            delivery.received_at,
            allowed_hosts=(host,) if host else allowed.hosts,
            is_private=invocation.is_private,
        )
        self.audit.run_started(record)
        failpoint("run.audited")
        self.runs.start(record, delivery.response_url)
        if record.is_private:
            invocation.reply(responses.info(WORKING))
        return None
