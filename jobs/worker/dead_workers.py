"""What an RQ worker may run: one function, no callbacks, no webhooks. RQ itself would import any name found in a job.

A job's process ends with its RQ worker: an orphan would go on changing a host while another takes its place. And what a
dead RQ worker leaves behind is found by any other within a minute, busy or not. Nothing that stands in Redis ends one.
"""

import signal
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import structlog
from redis import Redis
from redis.client import Pipeline
from redis.exceptions import RedisError
from rq import Queue, Worker, worker_registration
from rq.exceptions import DequeueTimeout, NoSuchJobError, StopRequested
from rq.executions import Execution
from rq.intermediate_queue import IntermediateQueue
from rq.job import Job, JobStatus
from rq.registry import FailedJobRegistry, FinishedJobRegistry, StartedJobRegistry
from rq.utils import now

from imker.process import end_with_parent
from imker.redis_errors import unavailable_reason
from jobs.worker.allowlist import JOB_ID, AllowlistedJob

PICKUP_TIMEOUT = timedelta(
    seconds=10
)  # after which a job that was popped and is not begun was popped by one that is dead now
MAINTENANCE_LOCK = 15  # seconds that one RQ worker at a time may clear up
HEARTBEAT_GRACE = (
    25  # seconds besides a beat's own after which an RQ worker counts as dead: no sooner than its locks end
)
DROPPED_TTL = 24 * 3600  # seconds
DROP_SCRIPT = """
if redis.call('lrem', KEYS[1], 1, ARGV[1]) == 0 then return 0 end
if redis.call('type', KEYS[2]).ok == 'hash' then redis.call('hset', KEYS[2], 'status', 'failed') end
redis.call('expire', KEYS[2], ARGV[2])
return 1
"""
PUT_BACK_SCRIPT = """
if redis.call('lrem', KEYS[1], 1, ARGV[1]) == 1 then redis.call('lpush', KEYS[2], ARGV[1]) end
redis.call('del', KEYS[3])
"""

log = structlog.get_logger()


class PendingPickup(IntermediateQueue):
    """Jobs on their way from the queue to an RQ worker."""

    def should_be_cleaned_up(self, job_id: str) -> bool:
        """RQ's own waits a minute longer."""
        first_seen = self.get_first_seen(job_id)
        return first_seen is not None and now() - first_seen > PICKUP_TIMEOUT

    def cleanup(self, worker: Any, queue: Queue) -> None:
        """Give the jobs of dead RQ workers to others, and drop what is no job."""
        assert isinstance(queue, ImkerQueue)
        names: Any = self.connection.lrange(self.key, 0, -1)
        for name in names:
            try:
                self._clean_job(queue.read_job(name), worker, queue)
            except NoSuchJobError as none:
                queue.drop(name, str(none))

    def _clean_job(self, job: AllowlistedJob, worker: Any, queue: Queue) -> None:
        if job.id in queue.started_job_registry or self.set_first_seen(job.id):
            return
        if not self.should_be_cleaned_up(job.id):
            return
        if job.get_status(refresh=False) is JobStatus.QUEUED:
            keys = (self.key, queue.key, self.get_first_seen_key(job.id))
            self.connection.eval(PUT_BACK_SCRIPT, 3, *keys, job.id)
        else:
            worker.handle_job_failure(job, queue, exc_string="popped, and never begun")
            self.remove(job.id)


class ImkerQueue(Queue):
    job_class = AllowlistedJob

    def acquire_maintenance_lock(self) -> bool:
        """RQ's own keeps others away for 15 minutes when who holds it dies."""
        return bool(self.connection.set(self.registry_cleaning_key, 1, nx=True, ex=MAINTENANCE_LOCK))

    @property
    def intermediate_queue(self) -> PendingPickup:
        return PendingPickup(self.key, connection=self.connection)

    @classmethod
    def dequeue_any(cls, queues: Any, timeout: int | None, connection: "Redis", *_: Any, **__: Any) -> Any:
        """Take the next job. Raises DequeueTimeout when it is none: then the RQ worker's beat and maintenance have

        their turn, however many of these there are.
        """
        (queue,) = queues
        taken = cls.lmove(connection, queue.key, timeout)
        if taken is None:
            return None
        try:
            return queue.read_job(taken[1]), queue
        except NoSuchJobError as none:
            queue.drop(taken[1], str(none))
            raise DequeueTimeout(timeout, queue.key) from none

    def read_job(self, name: bytes) -> AllowlistedJob:
        """Return the job of that ID. Raises NoSuchJobError."""
        try:
            job = AllowlistedJob.fetch(name.decode(), self.connection, self.serializer)
        except UnicodeDecodeError as wrong:
            raise NoSuchJobError("not an ID of a job") from wrong
        if job.origin != self.name:
            raise NoSuchJobError("of another queue")
        return job

    def drop(self, name: bytes, reason: str) -> None:
        """Forget a popped ID that is no job's, and log it: of several RQ workers that find it, one does."""
        known = JOB_ID.fullmatch(name.decode(errors="replace"))
        key = Job.key_for(name.decode()) if known else f"{self.key}:none"
        if self.connection.eval(DROP_SCRIPT, 2, self.intermediate_queue_key, key, name, str(DROPPED_TTL)):
            log.warning("dropped: not a job that Imker wrote", queue=self.name, job=repr(name[:64]), why=reason)

    def move_dependents_to_ready(self, *_: Any, **__: Any) -> dict[str, list[str]]:
        """No job of Imker's has dependents, whatever Redis says."""
        return {}

    def enqueue_dependents(self, *_: Any, **__: Any) -> None:  # type: ignore[override]
        """No job of Imker's has dependents, whatever Redis says."""


class ImkerStartedRegistry(StartedJobRegistry):
    def get_queue(self) -> ImkerQueue:
        return ImkerQueue(self.name, connection=self.connection, serializer=self.serializer)


class ImkerWorker(Worker):
    job_class = AllowlistedJob
    max_connection_wait_time = 2.0  # seconds between two tries; RQ's own grows to a minute after Redis is back
    queue_class = ImkerQueue

    def get_heartbeat_ttl(self, job: Job, working_time: float = 0.0) -> int:
        """RQ's own is a minute longer than a beat: a run whose RQ worker died was told lost after 76 s."""
        return int(self.job_monitoring_interval) + HEARTBEAT_GRACE

    def heartbeat(self, timeout: int | None = None, pipeline: Pipeline | None = None) -> None:
        """With its name in the list of RQ workers: a Redis that was wiped has it from there again."""
        super().heartbeat(timeout, pipeline)
        worker_registration.register(self, pipeline)

    def maintain_heartbeats(self, job: Job, execution: Execution) -> None:
        """While all RQ workers are busy, RQ itself looks after no dead one. Raises RedisError when Redis is away."""
        try:
            super().maintain_heartbeats(job, execution)
        except RedisError as failed:
            if unavailable_reason(failed):
                raise
            log.exception("Redis refuses a running job's heartbeat", job=job.id)
        if self.should_run_maintenance_tasks:
            self.run_maintenance_tasks()

    def run_maintenance_tasks(self) -> None:
        """Clean up after dead RQ workers. A failure is logged: none may end this RQ worker, or its job."""
        self.last_cleaned_at = now()  # type: ignore[assignment]
        for queue in self.queues:
            assert isinstance(queue, ImkerQueue)
            _attempt(partial(self._clean, queue))

    def _clean(self, queue: ImkerQueue) -> None:
        if not queue.acquire_maintenance_lock():
            return
        for registry in (FinishedJobRegistry, FailedJobRegistry, ImkerStartedRegistry):
            _attempt(registry(queue=queue, job_class=AllowlistedJob).cleanup)
        _attempt(partial(worker_registration.clean_worker_registry, queue))
        _attempt(partial(queue.intermediate_queue.cleanup, self, queue))
        queue.release_maintenance_lock()  # type: ignore[no-untyped-call]

    def setup_work_horse_signals(self) -> None:
        super().setup_work_horse_signals()  # type: ignore[no-untyped-call]
        assert self.pid is not None
        end_with_parent(signal.SIGKILL, self.pid)


def _attempt(task: Callable[[], object]) -> None:
    try:
        task()
    except StopRequested:  # a signal to end came in the middle of it
        raise
    except Exception as failed:
        if isinstance(failed, RedisError) and unavailable_reason(failed):
            log.warning("maintenance waits for Redis", error=str(failed))
        else:
            log.exception("maintenance failed")
