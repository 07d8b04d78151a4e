"""Hand a run's jobs to RQ and read their status. The only module of the bot that imports RQ.

In: signed requests and job IDs. Out: job statuses. Only the status field of a job is read, because anyone who can
write to Redis can fill the other fields with anything.
"""

import contextlib

from redis import Redis
from rq import Queue
from rq.exceptions import DuplicateJobError
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer

from bot.records import DAY, QueueStatus
from imker import redis_fields
from imker.protocol import codec, version
from imker.protocol.commands import Request
from imker.protocol.watch_commands import WatchCommand
from imker.signing import SigningKey

JOB_TIMEOUT = 2 * 3600  # seconds that a job may take
LOOK_TIMEOUT, LOOK_TTL = 300, 600  # the same for a look of the watch; how long RQ keeps its result
JOB_STATUS: dict[JobStatus, QueueStatus] = {
    JobStatus.STARTED: "running",
    JobStatus.FINISHED: "finished",
    JobStatus.FAILED: "lost",
    JobStatus.STOPPED: "lost",
    JobStatus.CANCELED: "lost",
}
LIMITS = {"status": 32}  # bytes of a job's field that are read


def enqueue(redis: "Redis", request: Request, key: SigningKey) -> None:
    """Sign the request and enqueue its job, unless RQ has a job with this ID."""
    text = codec.encode_message(request)
    is_look = isinstance(request.command, WatchCommand)
    queue = Queue(request.command.queue, connection=redis, serializer=JSONSerializer)
    with contextlib.suppress(DuplicateJobError):
        queue.enqueue(
            version.JOB_FUNCTION,
            args=(text, key.sign(text)),
            job_id=version.job_id(request.run, request.job),
            unique=True,
            job_timeout=LOOK_TIMEOUT if is_look else JOB_TIMEOUT,
            result_ttl=LOOK_TTL if is_look else DAY,
            failure_ttl=LOOK_TTL if is_look else 7 * DAY,
            description=f"run {request.run}",
        )


def job_status(redis: "Redis", job_id: str, if_missing: QueueStatus) -> QueueStatus:
    """Return the job's status, `if_missing` if RQ has no such job, and "lost" for a value that RQ did not write."""
    try:
        status = redis_fields.read_bounded_fields(redis, Job.key_for(job_id), LIMITS).get("status")
        return JOB_STATUS.get(JobStatus(status.decode()), "queued") if status else if_missing
    except ValueError:
        return "lost"


def job_exists(redis: "Redis", job_id: str) -> bool:
    """Return whether RQ has a job with this ID."""
    return bool(Job.exists(job_id, redis))
