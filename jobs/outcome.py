"""Turn what a job raised into its last event: outcome, state, next command. Pure."""

from redis.exceptions import RedisError

from imker.audit_log import AuditLogBroken
from imker.config import ConfigError
from imker.protocol import commands, version
from imker.protocol.command_text import format_command
from imker.protocol.events import JobFinished, Outcome
from imker.redis_errors import unavailable_reason
from jobs.errors import Cancelled, InternalError, JobError
from jobs.events.writer import EventWriter
from jobs.execute.rollback import RolledBack


def describe_failure(request: commands.Request, events: EventWriter, error: JobError) -> JobFinished:
    """What failed, in what state that left things, and what to type next: whatever failed, and wherever."""
    return JobFinished(
        _outcome_of(error),
        error.summary,
        error.state or _describe_state(request, events),
        _next_hint(request, error),
        error.user,
    )


def _describe_state(request: commands.Request, events: EventWriter) -> str:
    if events.has_started_steps and commands.queue_for(request.command) == version.CHANGES_QUEUE:
        return "What was done stays done."
    return "Nothing was changed." if request.job == 1 else "Nothing more was changed."


def _next_hint(request: commands.Request, error: JobError) -> str:
    if "/swarm" in error.hint:
        return error.hint
    reads = commands.queue_for(request.command) == version.READS_QUEUE
    retry_hint = f"/swarm retry {request.run} goes on from what is true then."
    return f"{error.hint} {f'Again: {format_command(request.command)}' if reads else retry_hint}".lstrip()


def as_job_error(error: Exception, host: str) -> JobError:
    """What no host is to blame for, as what it is; Imker itself for all that is left."""
    match error:
        case ConfigError():
            return JobError("; ".join(error.lines), hint="Mend that on the RQ workers' machine.")
        case AuditLogBroken():
            hint = "`python -m bot audit verify` says where it breaks."
            return JobError("the record takes no entry, so that nothing more is done", hint=hint)
        case RedisError():
            return JobError(unavailable_reason(error) or "Redis refuses it; the RQ worker's log says why")
        case _:
            return InternalError(host)


def _outcome_of(error: JobError) -> Outcome:
    if isinstance(error, RolledBack):
        return "rolled_back"
    return "cancelled" if isinstance(error, Cancelled) else "failed"
