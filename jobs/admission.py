"""Admit a job from the queue: signed by the bot, not expired, and not processed before.

In: the job's text and signature. Out: the Request, or JobRejected with the reason. Knows nothing about commands.
"""

import uuid

from redis import Redis

from imker.protocol import codec, version
from imker.protocol.codec import MessageHeader, UnsupportedVersion
from imker.protocol.commands import Request
from imker.protocol.events import JobFinished
from imker.protocol.next_command import BotCommand, NextCommand
from imker.protocol.watch_commands import WatchCommand
from imker.signing import SigningKey
from jobs.errors import JobError
from jobs.events.writer import EventWriter

CONSUMED_TTL = 8 * 24 * 3600  # seconds that a request counts as processed: longer than any request is valid
WATCH_TTL = 2 * 3600  # the same for a look of the watch, which may be repeated without harm
MAX_REQUEST_LIFETIME = 7 * 24 * 3600  # seconds ahead that a request may expire


class JobRejected(JobError):
    """The job was not admitted. Nothing was changed."""

    hint = "Run the command again. If it is rejected again, see the RQ worker's log."


def admit(text: str, signature: object, key: SigningKey, redis: Redis, now: float) -> Request:
    """Return the request if its job may run. `now`: UNIX seconds.

    Raises JobRejected after reporting the reason to the run. Raises UnsupportedVersion if the text names no run.
    """
    try:
        request = codec.decode_request(text)
    except UnsupportedVersion as error:
        if (header := codec.header_of_other_version(text)) is None:
            raise
        rejection = _reject_other_version(header, _signature_problem(text, signature, key))
        _report_rejection(header, rejection, key, redis, now)
        raise rejection from error
    reason = _rejection_reason(request, text, signature, key, now)
    if not reason and not _consume_once(redis, request, now):
        raise JobRejected(f"job {request.job} of run {request.run} was already processed")
    if reason:
        _report_rejection(request, JobRejected(reason), key, redis, now)
        raise JobRejected(reason)
    return request


def _consume_once(redis: Redis, request: Request, now: float) -> bool:
    """Return True for the first caller only. A write that is repeated after a lost reply finds its own value."""
    key, own_value = version.consumed_key(request.run, request.job), f"{now} {uuid.uuid4().hex}"
    ttl = WATCH_TTL if isinstance(request.command, WatchCommand) else CONSUMED_TTL
    return bool(redis.set(key, own_value, nx=True, ex=ttl)) or redis.get(key) == own_value.encode()


def _rejection_reason(request: Request, text: str, signature: object, key: SigningKey, now: float) -> str:
    """Return why the request must not be processed, "" if it may be."""
    if problem := _signature_problem(text, signature, key):
        return problem
    if not now < request.expires_at <= now + MAX_REQUEST_LIFETIME:
        return "the request has expired, or the clocks of the bot and the RQ worker differ too much"
    return ""


def _reject_other_version(header: MessageHeader, problem: str) -> JobRejected:
    """Explain a job of another protocol version: a newer bot, or a job that was queued before an upgrade."""
    if problem:
        return JobRejected(problem)
    newer = header.protocol_version > version.PROTOCOL_VERSION
    reason = f"the job uses protocol version {header.protocol_version}, these RQ workers use {version.PROTOCOL_VERSION}"
    hint = "The RQ workers are older than the bot: upgrade them." if newer else "The job was queued before an upgrade."
    return JobRejected(reason, hint=hint, next_commands=(NextCommand(BotCommand("retry", header.run)),))


def _signature_problem(text: str, signature: object, key: SigningKey) -> str:
    """Return what is wrong with the signature, "" if it is valid."""
    if not isinstance(signature, str) or not signature:
        return "the job is not signed: it was not created by the bot"
    if not key.verify(text, signature):
        return "the job's signature is invalid: the bot did not create it, or uses another IMKER_SIGNING_KEY"
    return ""


def _report_rejection(
    request: Request | MessageHeader, rejection: JobRejected, key: SigningKey, redis: Redis, now: float
) -> None:
    """Emit the rejection, unless the run has events of this job: a forged job must not overwrite a real one."""
    events = EventWriter(redis, key, request.run, request.job, lambda: now)
    if not events.event_log().has_job(request.job):
        state, next_commands = "Nothing was changed.", rejection.next_commands
        events.emit(JobFinished("refused", rejection.summary, state, rejection.hint, next_commands=next_commands))
