"""Detect dead RQ workers within a minute, and clean up after them.

Every RQ worker does this, also while it runs a job. A job's process ends with its RQ worker, because an orphan would
keep changing a host while another RQ worker takes its place. Malformed data in Redis never ends an RQ worker.
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

PICKUP_TIMEOUT = timedelta(seconds=10)  # a job that was popped but not started for so long lost its RQ worker
MAINTENANCE_LOCK = 15  # seconds that one RQ worker has for its cleanup
# Seconds after a missed heartbeat until an RQ worker counts as dead: not before its locks have expired.
HEARTBEAT_GRACE = 25
DROPPED_TTL = 24 * 3600  # seconds that a dropped job stays visible as failed
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
    """Jobs that were popped from the queue and are not started yet."""

    def should_be_cleaned_up(self, job_id: str) -> bool:
        """Clean up after PICKUP_TIMEOUT instead of RQ's one minute."""
        first_seen = self.get_first_seen(job_id)
        return first_seen is not None and now() - first_seen > PICKUP_TIMEOUT

    def cleanup(self, worker: Any, queue: Queue) -> None:
        """Requeue the jobs of dead RQ workers, and drop entries that are not valid jobs."""
        assert isinstance(queue, ImkerQueue)
        names: Any = self.connection.lrange(self.key, 0, -1)
        for name in names:
            try:
                self._clean_job(queue.read_job(name), worker, queue)
            except NoSuchJobError as error:
                queue.drop(name, str(error))

    def _clean_job(self, job: AllowlistedJob, worker: Any, queue: Queue) -> None:
        if job.id in queue.started_job_registry or self.set_first_seen(job.id):
            return
        if not self.should_be_cleaned_up(job.id):
            return
        if job.get_status(refresh=False) is JobStatus.QUEUED:
            keys = (self.key, queue.key, self.get_first_seen_key(job.id))
            self.connection.eval(PUT_BACK_SCRIPT, 3, *keys, job.id)
        else:
            worker.handle_job_failure(job, queue, exc_string="popped from the queue, but never started")
            self.remove(job.id)


class ImkerQueue(Queue):
    """An RQ queue that drops malformed jobs instead of failing on them."""

    job_class = AllowlistedJob

    def acquire_maintenance_lock(self) -> bool:
        """Lock for MAINTENANCE_LOCK seconds. RQ's lock lasts 15 minutes, also when its holder dies."""
        return bool(self.connection.set(self.registry_cleaning_key, 1, nx=True, ex=MAINTENANCE_LOCK))

    @property
    def intermediate_queue(self) -> PendingPickup:
        """Return the jobs that were popped and are not started yet."""
        return PendingPickup(self.key, connection=self.connection)

    @classmethod
    def dequeue_any(cls, queues: Any, timeout: int | None, connection: "Redis", *_: Any, **__: Any) -> Any:
        """Pop the next job. Return None if there is none.

        Raises DequeueTimeout after dropping a malformed job, so that the RQ worker sends its heartbeat and does its
        maintenance however many of these are queued.
        """
        (queue,) = queues
        popped = cls.lmove(connection, queue.key, timeout)
        if popped is None:
            return None
        try:
            return queue.read_job(popped[1]), queue
        except NoSuchJobError as error:
            queue.drop(popped[1], str(error))
            raise DequeueTimeout(timeout, queue.key) from error

    def read_job(self, name: bytes) -> AllowlistedJob:
        """Return the job of that ID. Raises NoSuchJobError if it is malformed or belongs to another queue."""
        try:
            job = AllowlistedJob.fetch(name.decode(), self.connection, self.serializer)
        except UnicodeDecodeError as error:
            raise NoSuchJobError("not a job ID") from error
        if job.origin != self.name:
            raise NoSuchJobError("job of another queue")
        return job

    def drop(self, name: bytes, reason: str) -> None:
        """Remove a popped entry that is not a valid job, and log it. If several RQ workers find it, one logs."""
        is_job_id = JOB_ID.fullmatch(name.decode(errors="replace"))
        key = Job.key_for(name.decode()) if is_job_id else f"{self.key}:none"
        if self.connection.eval(DROP_SCRIPT, 2, self.intermediate_queue_key, key, name, str(DROPPED_TTL)):
            log.warning("dropped a malformed job", queue=self.name, job=repr(name[:64]), reason=reason)

    def move_dependents_to_ready(self, *_: Any, **__: Any) -> dict[str, list[str]]:
        """Do nothing: Imker's jobs have no dependents, whatever Redis contains."""
        return {}

    def enqueue_dependents(self, *_: Any, **__: Any) -> None:  # type: ignore[override]
        """Do nothing: Imker's jobs have no dependents, whatever Redis contains."""


class ImkerStartedRegistry(StartedJobRegistry):
    """RQ's registry of running jobs, on an ImkerQueue."""

    def get_queue(self) -> ImkerQueue:
        """Return the queue that this registry belongs to."""
        return ImkerQueue(self.name, connection=self.connection, serializer=self.serializer)


class ImkerWorker(Worker):
    """An RQ worker that does maintenance also while it runs a job, and whose job process ends with it."""

    job_class = AllowlistedJob
    max_connection_wait_time = 2.0  # seconds between two attempts; RQ's own delay grows to a minute
    queue_class = ImkerQueue

    def get_heartbeat_ttl(self, job: Job, working_time: float = 0.0) -> int:
        """Return the seconds after which this RQ worker counts as dead. RQ's own grace of a minute is too long."""
        return int(self.job_monitoring_interval) + HEARTBEAT_GRACE

    def heartbeat(self, timeout: int | None = None, pipeline: Pipeline | None = None) -> None:
        """Send a heartbeat, and register again: Redis may have lost its data."""
        super().heartbeat(timeout, pipeline)
        worker_registration.register(self, pipeline)

    def maintain_heartbeats(self, job: Job, execution: Execution) -> None:
        """Send heartbeats while a job runs, and do maintenance: RQ does none while all RQ workers are busy.

        Raises RedisError while Redis is unavailable.
        """
        try:
            super().maintain_heartbeats(job, execution)
        except RedisError as error:
            if unavailable_reason(error):
                raise
            log.exception("Redis rejected the heartbeat of a running job", job=job.id)
        if self.should_run_maintenance_tasks:
            self.run_maintenance_tasks()

    def run_maintenance_tasks(self) -> None:
        """Clean up after dead RQ workers. A failure is logged and never ends this RQ worker or its job."""
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
        """Make the job's process end with this RQ worker."""
        super().setup_work_horse_signals()  # type: ignore[no-untyped-call]
        assert self.pid is not None
        end_with_parent(signal.SIGKILL, self.pid)


def _attempt(task: Callable[[], object]) -> None:
    try:
        task()
    except StopRequested:  # SIGTERM arrived meanwhile
        raise
    except Exception as error:
        if isinstance(error, RedisError) and unavailable_reason(error):
            log.warning("maintenance is waiting for Redis", error=str(error))
        else:
            log.exception("maintenance failed")
