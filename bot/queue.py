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

from bot.record import DAY, JobState
from imker import bounded
from imker.signing import Key
from jobs import contract
from jobs.contract import Request

TIMEOUT = 2 * 3600  # seconds a job may take
STATES: dict[JobStatus, JobState] = {
    JobStatus.STARTED: "running",
    JobStatus.FINISHED: "over",
    JobStatus.FAILED: "lost",
    JobStatus.STOPPED: "lost",
    JobStatus.CANCELED: "lost",
}
LIMITS = {"status": 32}


def enqueue(redis: "Redis", request: Request, key: Key) -> None:
    """That RQ has it already is as good."""
    text = contract.encode(request)
    queue = Queue(contract.queue_of(request.command), connection=redis, serializer=JSONSerializer)
    with contextlib.suppress(DuplicateJobError):
        queue.enqueue(
            contract.JOB_FUNCTION,
            args=(text, key.sign(text)),
            job_id=contract.job_id(request.run, request.job),
            unique=True,
            job_timeout=TIMEOUT,
            result_ttl=DAY,
            failure_ttl=7 * DAY,
            description=f"run {request.run}",
        )


def state(redis: "Redis", job_id: str, unknown: JobState) -> JobState:
    """`unknown`: what a job counts as that RQ does not know. What RQ did not write counts as lost."""
    try:
        status = bounded.fields(redis, Job.key_for(job_id), LIMITS).get("status")
        return STATES.get(JobStatus(status.decode()), "queued") if status else unknown
    except ValueError:
        return "lost"


def has(redis: "Redis", job_id: str) -> bool:
    return bool(Job.exists(job_id, redis))
