"""Whoever can write to Redis can still run one function only."""

from pathlib import Path

import pytest
from redis import Redis
from rq import Queue, SimpleWorker
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer

from jobs import run
from jobs.guard import GuardedJob

MARK = "/tmp/imker-guard-{}"


def work(redis: Redis) -> None:
    queue = Queue("changes", connection=redis, serializer=JSONSerializer, job_class=GuardedJob)
    worker = SimpleWorker([queue], connection=redis, serializer=JSONSerializer, job_class=GuardedJob)
    worker.work(burst=True, logging_level="CRITICAL")


def enqueue(redis: Redis, function: str, argument: str) -> Job:
    queue = Queue("changes", connection=redis, serializer=JSONSerializer)
    return queue.enqueue(function, args=(argument,), job_id="victim")


def test_another_function_is_not_run(redis: Redis, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    enqueue(redis, "os.system", f"touch {mark}")
    work(redis)
    assert Job.fetch("victim", redis, JSONSerializer).get_status() is JobStatus.FAILED
    assert not mark.exists()


@pytest.mark.parametrize("kind", ["success_callback_name", "failure_callback_name", "stopped_callback_name"])
def test_a_callback_written_into_the_job_is_not_run(
    redis: Redis, kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ran: list[str] = []
    monkeypatch.setattr(run, "run", ran.append)
    monkeypatch.setattr("tests.jobs.test_guard.forbidden", lambda *_: (tmp_path / "mark").touch(), raising=False)
    enqueue(redis, "jobs.run.run", "asked")
    redis.hset("rq:job:victim", kind, "tests.jobs.test_guard.forbidden")
    work(redis)
    assert ran == ["asked"], "the one function that is allowed did run"
    assert not (tmp_path / "mark").exists()


def test_a_webhook_written_into_the_job_is_not_read(redis: Redis) -> None:
    enqueue(redis, "jobs.run.run", "asked")
    redis.hset("rq:job:victim", "webhooks", '[{"url": "http://127.0.0.1:9/", "status": "finished", "method": "POST"}]')
    assert GuardedJob.fetch("victim", redis, JSONSerializer).webhooks == []
