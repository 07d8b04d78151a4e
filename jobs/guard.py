"""What an RQ worker may run: one function, no callbacks, no webhooks. RQ itself would import any name found in a job.

A job's process ends with its RQ worker: an orphan would go on changing a host while another takes its place. And what a
dead RQ worker leaves behind is found by any other within a minute, busy or not.
"""

import signal
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from redis.client import Pipeline
from rq import Queue, Worker, worker_registration
from rq.executions import Execution
from rq.intermediate_queue import IntermediateQueue
from rq.job import Job
from rq.utils import now

from imker.process import end_with_parent
from jobs.contract import JOB_FUNCTION

FOUND = timedelta(seconds=10)  # after which a job that was popped and is not begun was popped by one that is dead now
CLEARING = 15  # seconds that one RQ worker at a time may clear up
SILENCE = 25  # seconds besides a beat's own after which an RQ worker counts as dead: no sooner than its locks end


class GuardedJob(Job):
    """Reads of itself only what it may run; whatever else Redis holds of it is not looked at."""

    @property
    def func(self) -> Callable[..., Any]:
        from jobs import run

        if self.func_name != JOB_FUNCTION or self._instance is not None:
            return partial(run.turn_away, f"this RQ worker runs {JOB_FUNCTION} only, not {self.func_name}")
        return run.run

    def restore(self, raw_data: Any) -> None:
        super().restore(raw_data)
        self._success_callback_name = self._failure_callback_name = self._stopped_callback_name = None
        self.webhooks = []


class Popped(IntermediateQueue):
    """Jobs on their way from the queue to an RQ worker."""

    def should_be_cleaned_up(self, job_id: str) -> bool:
        """RQ's own waits a minute longer."""
        seen = self.get_first_seen(job_id)
        return seen is not None and now() - seen > FOUND


class GuardedQueue(Queue):
    job_class = GuardedJob

    def acquire_maintenance_lock(self) -> bool:
        """RQ's own keeps others away for 15 minutes when who holds it dies."""
        return bool(self.connection.set(self.registry_cleaning_key, 1, nx=True, ex=CLEARING))

    @property
    def intermediate_queue(self) -> Popped:
        return Popped(self.key, connection=self.connection)


class GuardedWorker(Worker):
    job_class = GuardedJob
    max_connection_wait_time = 2.0  # seconds between two tries; RQ's own grows to a minute after Redis is back
    queue_class = GuardedQueue

    def get_heartbeat_ttl(self, job: Job, working_time: float = 0.0) -> int:
        """RQ's own is a minute longer than a beat: a run whose RQ worker died was told lost after 76 s."""
        return int(self.job_monitoring_interval) + SILENCE

    def heartbeat(self, timeout: int | None = None, pipeline: Pipeline | None = None) -> None:
        """With its name in the list of RQ workers: a Redis that was wiped has it from there again."""
        super().heartbeat(timeout, pipeline)
        worker_registration.register(self, pipeline)

    def maintain_heartbeats(self, job: Job, execution: Execution) -> None:
        """While all RQ workers are busy, RQ itself looks after no dead one."""
        super().maintain_heartbeats(job, execution)
        if self.should_run_maintenance_tasks:
            self.run_maintenance_tasks()  # type: ignore[no-untyped-call]

    def setup_work_horse_signals(self) -> None:
        super().setup_work_horse_signals()  # type: ignore[no-untyped-call]
        end_with_parent(signal.SIGKILL)
