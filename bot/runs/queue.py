"""A run's jobs, handed to RQ, and RQ's word on them. The only place of the bot that knows RQ.

In: signed requests and job IDs. Out: what has become of a job. What a run is, is not known here. Of a job, only its
status is read: whoever can write to Redis can fill the rest with anything.
"""

import contextlib

from redis import Redis
from rq import Queue
from rq.exceptions import DuplicateJobError
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer

from bot.records import DAY, QueueStatus
from imker import redis_fields
from imker.protocol import codec, commands, version
from imker.protocol.commands import Request
from imker.signing import SigningKey

JOB_TIMEOUT = 2 * 3600  # seconds a job may take
JOB_STATUS: dict[JobStatus, QueueStatus] = {
    JobStatus.STARTED: "running",
    JobStatus.FINISHED: "over",
    JobStatus.FAILED: "lost",
    JobStatus.STOPPED: "lost",
    JobStatus.CANCELED: "lost",
}
LIMITS = {"status": 32}


def enqueue(redis: "Redis", request: Request, key: SigningKey) -> None:
    """That RQ has it already is as good."""
    text = codec.encode_message(request)
    queue = Queue(commands.queue_for(request.command), connection=redis, serializer=JSONSerializer)
    with contextlib.suppress(DuplicateJobError):
        queue.enqueue(
            version.JOB_FUNCTION,
            args=(text, key.sign(text)),
            job_id=version.job_id(request.run, request.job),
            unique=True,
            job_timeout=JOB_TIMEOUT,
            result_ttl=DAY,
            failure_ttl=7 * DAY,
            description=f"run {request.run}",
        )


def job_status(redis: "Redis", job_id: str, if_missing: QueueStatus) -> QueueStatus:
    """`unknown`: what a job counts as that RQ does not know. What RQ did not write counts as lost."""
    try:
        status = redis_fields.read_bounded_fields(redis, Job.key_for(job_id), LIMITS).get("status")
        return JOB_STATUS.get(JobStatus(status.decode()), "queued") if status else if_missing
    except ValueError:
        return "lost"


def job_exists(redis: "Redis", job_id: str) -> bool:
    return bool(Job.exists(job_id, redis))
