"""Check that a malformed, huge, or missing job ends no RQ worker: it is dropped and logged once."""

from collections.abc import Iterator

import pytest
import structlog
from redis import Redis
from rq.exceptions import InvalidJobOperation, NoSuchJobError
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer
from structlog.testing import capture_logs

from jobs import run
from jobs.worker.allowlist import AllowlistedJob
from jobs.worker.dead_workers import PICKUP_TIMEOUT, ImkerQueue, ImkerWorker
from tests.support import poisoned_jobs

KINDS = {**poisoned_jobs.BY_ANY, **poisoned_jobs.BY_ADMIN}


@pytest.fixture
def worker(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator["InProcess"]:
    monkeypatch.setattr(run, "run", lambda *_, **__: None)
    queue = ImkerQueue("changes", connection=redis, serializer=JSONSerializer)
    yield InProcess([queue], connection=redis, serializer=JSONSerializer)
    structlog.reset_defaults()


class InProcess(ImkerWorker):
    """An RQ worker that runs its jobs in this process, so that the test sees their effects."""

    def execute_job(self, job: Job, queue: object) -> None:
        execution = self.prepare_execution(job)
        self.perform_job(job, queue, execution)  # type: ignore[arg-type]


def enqueue(redis: Redis, job_id: str = "goodgood-1") -> None:
    queue = ImkerQueue("changes", connection=redis, serializer=JSONSerializer)
    queue.enqueue("jobs.run.run", args=("a request", "a signature"), job_id=job_id, job_timeout=60)


def work(worker: ImkerWorker) -> list[str]:
    """Work until the queue is empty. Return the reasons of dropped jobs."""
    with capture_logs() as logs:
        worker.work(burst=True, logging_level="CRITICAL")
    assert [log for log in logs if log["log_level"] == "error"] == []
    return [log["reason"] for log in logs if log["event"].startswith("dropped")]


@pytest.mark.parametrize("kind", KINDS)
def test_drops_a_poisoned_job_once_and_runs_the_next(redis: Redis, worker: InProcess, kind: str) -> None:
    name = KINDS[kind](redis, poisoned_jobs.fresh(), "changes")
    redis.rpush("rq:queue:changes", name)
    enqueue(redis)
    assert len(work(worker)) == 1
    assert redis.lrange("rq:queue:changes:intermediate", 0, -1) == []
    assert AllowlistedJob.fetch("goodgood-1", redis, JSONSerializer).get_status() is JobStatus.FINISHED
    assert work(worker) == []


@pytest.mark.parametrize("kind", KINDS)
def test_maintenance_drops_a_poisoned_job_of_a_dead_worker_once(redis: Redis, worker: InProcess, kind: str) -> None:
    name = KINDS[kind](redis, poisoned_jobs.fresh(), "changes")
    redis.rpush("rq:queue:changes:intermediate", name)
    enqueue(redis)
    assert len(work(worker)) == 1
    assert redis.lrange("rq:queue:changes:intermediate", 0, -1) == []
    assert redis.hget("rq:job:goodgood-1", "status") == b"finished"


def test_marks_a_dropped_job_as_failed_and_lets_it_expire(redis: Redis, worker: InProcess) -> None:
    name = KINDS["no date"](redis, poisoned_jobs.fresh(), "changes").decode()
    redis.rpush("rq:queue:changes", name)
    work(worker)
    assert redis.hget(f"rq:job:{name}", "status") == b"failed"
    assert redis.ttl(f"rq:job:{name}") > 0


def test_does_not_read_the_error_of_an_earlier_attempt(redis: Redis) -> None:
    enqueue(redis)
    redis.hset("rq:job:goodgood-1", "exc_info", poisoned_jobs.BOMB)
    assert AllowlistedJob.fetch("goodgood-1", redis, JSONSerializer)._exc_info is None


@pytest.mark.parametrize("status", [b"bogus", b"", b"\xff"])
def test_survives_a_malformed_status(redis: Redis, status: bytes) -> None:
    enqueue(redis)
    job = AllowlistedJob.fetch("goodgood-1", redis, JSONSerializer)
    redis.hset(job.key, "status", status)
    assert job.get_status() is JobStatus.CREATED
    redis.hset(job.key, "status", b"x" * 100_000)
    with pytest.raises(InvalidJobOperation):
        job.get_status()


def test_survives_a_running_job_whose_hash_became_a_list(redis: Redis, worker: InProcess) -> None:
    enqueue(redis)
    worker.register_birth()
    job = AllowlistedJob.fetch("goodgood-1", redis, JSONSerializer)
    execution = worker.prepare_execution(job)
    redis.delete(job.key)
    redis.rpush(job.key, "x")
    with capture_logs() as logs:
        worker.maintain_heartbeats(job, execution)
    assert [log["event"] for log in logs] == ["Redis rejected the heartbeat of a running job"]


def test_finishes_a_job_with_malformed_dependents(redis: Redis, worker: InProcess) -> None:
    enqueue(redis)
    redis.hset("rq:job:goodgood-1:dependents", "x", "y")
    work(worker)
    assert redis.hget("rq:job:goodgood-1", "status") == b"finished"


@pytest.mark.parametrize("key", ["rq:wip:changes", "rq:finished:changes", "rq:failed:changes", "rq:workers:changes"])
def test_cleans_the_other_registries_if_one_is_malformed(redis: Redis, worker: InProcess, key: str) -> None:
    redis.set(key, "x")
    redis.rpush("rq:queue:changes:intermediate", b"\xff")
    with capture_logs() as logs:
        worker.run_maintenance_tasks()
    assert {"maintenance failed", "dropped a malformed job"} <= {log["event"] for log in logs}


def test_requeues_a_job_whose_worker_died_before_starting_it(redis: Redis, worker: InProcess) -> None:
    """The same happens after a lost reply: Redis popped the job, but no worker received it."""
    enqueue(redis)
    redis.lmove("rq:queue:changes", "rq:queue:changes:intermediate")
    worker.run_maintenance_tasks()
    assert redis.llen("rq:queue:changes") == 0, "the worker that popped it may still start it"
    first_seen = float(redis.get("rq:queue:changes:intermediate:first_seen:goodgood-1") or 0)
    redis.set("rq:queue:changes:intermediate:first_seen:goodgood-1", first_seen - PICKUP_TIMEOUT.total_seconds() - 1)
    worker.run_maintenance_tasks()
    work(worker)
    assert redis.hget("rq:job:goodgood-1", "status") == b"finished"


def test_says_why_a_job_is_malformed(redis: Redis) -> None:
    with pytest.raises(NoSuchJobError, match="too long"):
        AllowlistedJob.fetch(KINDS["data that is huge"](redis, "evil0000-1", "changes").decode(), redis, JSONSerializer)
