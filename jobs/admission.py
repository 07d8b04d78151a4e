"""What an RQ job holds, before anything is done about it: signed by the bot, in time, and for the first time.

In: the job's text and signature. Out: the Request, or Refused, in words. It knows nothing of what is asked.
"""

import uuid

from redis import Redis

from imker.protocol import codec, version
from imker.protocol.codec import MessageHeader, UnsupportedVersion
from imker.protocol.commands import Request
from imker.protocol.events import JobFinished
from imker.signing import SigningKey
from jobs.errors import JobError
from jobs.events.writer import EventWriter

CONSUMED_TTL = 8 * 24 * 3600  # seconds that a request counts as used: longer than any is valid
MAX_REQUEST_LIFETIME = 7 * 24 * 3600  # seconds ahead that a request may expire


class JobRejected(JobError):
    """Nothing was changed."""

    hint = "Ask again; if it stays so, see the log."


def admit(text: str, signature: object, key: SigningKey, redis: Redis, now: float) -> Request:
    """`clock`: UNIX seconds. Raises Refused for what must not be done, which it tells the run; UnknownContract for what

    names no run to tell it.
    """
    try:
        request = codec.decode_request(text)
    except UnsupportedVersion as unknown:
        if (envelope := codec.header_of_other_version(text)) is None:
            raise
        rejection = _reject_other_version(envelope, _signature_problem(text, signature, key))
        _report_rejection(envelope, rejection, key, redis, now)
        raise rejection from unknown
    reason = _rejection_reason(request, text, signature, key, now)
    if not reason and not _consume_once(redis, version.consumed_key(request.run, request.job), now):
        raise JobRejected(f"job {request.job} of run {request.run} was taken up before; it is not done twice")
    if reason:
        _report_rejection(request, JobRejected(reason), key, redis, now)
        raise JobRejected(reason)
    return request


def _consume_once(redis: Redis, key: str, clock: float) -> bool:
    """Whether nobody took the request up before. A write repeated after a lost reply finds its own value."""
    mine = f"{clock} {uuid.uuid4().hex}"
    return bool(redis.set(key, mine, nx=True, ex=CONSUMED_TTL)) or redis.get(key) == mine.encode()


def _rejection_reason(request: Request, text: str, signature: object, key: SigningKey, now: float) -> str:
    if forged := _signature_problem(text, signature, key):
        return forged
    if not now < request.expires_at <= now + MAX_REQUEST_LIFETIME:
        return "the request is too old, or the clocks of the bot and the RQ worker are far apart"
    return ""


def _reject_other_version(header: MessageHeader, problem: str) -> JobRejected:
    """A bot that is newer than the RQ workers, or a job that waited in its queue through an upgrade."""
    if problem:
        return JobRejected(problem)
    newer = header.protocol_version > version.PROTOCOL_VERSION
    reason = f"the job uses protocol version {header.protocol_version}, these RQ workers use {version.PROTOCOL_VERSION}"
    first = "The RQ workers are older than the bot: upgrade them." if newer else "It was asked before an upgrade."
    return JobRejected(reason, hint=f"{first} /swarm retry {header.run} asks again.")


def _signature_problem(text: str, signature: object, key: SigningKey) -> str:
    if not isinstance(signature, str) or not signature:
        return "the job is not signed; somebody other than the bot wrote it"
    if not key.verify(text, signature):
        return "the job's signature is wrong; somebody other than the bot wrote it, or the two sides' keys differ"
    return ""


def _report_rejection(
    request: Request | MessageHeader, rejection: JobRejected, key: SigningKey, redis: Redis, now: float
) -> None:
    """Only into a run that has no word of this job yet: a forged one must not write over a true one's events."""
    journal = EventWriter(redis, key, request.run, request.job, lambda: now)
    if not journal.event_log().has_job(request.job):
        journal.emit(JobFinished("refused", rejection.summary, "Nothing was changed.", rejection.hint))
