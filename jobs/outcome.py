"""Turn the exception that ended a job into its last event: outcome, state, and the next command. Pure."""

from redis.exceptions import RedisError

from imker.audit_log import AuditLogBroken
from imker.config import ConfigError
from imker.protocol import commands, version
from imker.protocol.events import JobFinished, Outcome
from imker.protocol.next_command import BotCommand, NextCommand
from imker.protocol.watch_commands import WatchCommand
from imker.redis_errors import unavailable_reason
from jobs.errors import Cancelled, InternalError, JobError
from jobs.events.writer import EventWriter
from jobs.execute.rollback import RolledBack


def describe_failure(request: commands.Request, events: EventWriter, error: JobError) -> JobFinished:
    """Describe what failed, in which state the host was left, and what to run next."""
    return JobFinished(
        _outcome_of(error),
        error.summary,
        error.state or _describe_state(request, events),
        error.hint,
        error.user,
        error.next_commands or _next_commands(request),
    )


def _describe_state(request: commands.Request, events: EventWriter) -> str:
    if events.has_started_steps and request.command.queue == version.CHANGES_QUEUE:
        return "Completed steps are kept."
    return "Nothing was changed." if request.job == 1 else "Nothing more was changed."


def _next_commands(request: commands.Request) -> tuple[NextCommand, ...]:
    """Return the command that repeats a read, or that runs what remains of a change."""
    command = request.command
    if isinstance(command, commands.DownloadPackages | commands.StopDownloads | WatchCommand):
        return ()
    if command.queue == version.READS_QUEUE:
        return (NextCommand(command, "try again"),)
    return (NextCommand(BotCommand("retry", request.run)),)


def as_job_error(error: Exception, host: str) -> JobError:
    """Translate an exception that no host caused. What is not known is an InternalError."""
    match error:
        case ConfigError():
            return JobError("; ".join(error.lines), hint="Fix the configuration on the RQ workers' machine.")
        case AuditLogBroken():
            hint = "First run `imker audit verify` on the bot's machine."
            return JobError("stopped: the audit log cannot be written", hint=hint)
        case RedisError():
            return JobError(unavailable_reason(error) or "Redis rejected a command. Details are in the RQ worker's log")
        case _:
            return InternalError(host)


def _outcome_of(error: JobError) -> Outcome:
    if isinstance(error, RolledBack):
        return "rolled_back"
    return "cancelled" if isinstance(error, Cancelled) else "failed"
