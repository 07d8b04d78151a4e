"""Whoever can write to Redis can still run one function only. Each attack is shown to work on RQ's own job class."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from redis import Redis
from rq import Queue, SimpleWorker, Webhook
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer

from jobs import run
from jobs.worker.allowlist import AllowlistedJob
from jobs.worker.dead_workers import MAINTENANCE_LOCK, ImkerQueue

CALLBACKS = ["success_callback_name", "failure_callback_name", "stopped_callback_name"]


def work(redis: Redis, job_class: type[Job]) -> None:
    queue = Queue("changes", connection=redis, serializer=JSONSerializer, job_class=job_class)
    worker = SimpleWorker([queue], connection=redis, serializer=JSONSerializer, job_class=job_class)
    worker.work(burst=True, logging_level="CRITICAL")


def enqueue(redis: Redis, function: str, argument: str, webhooks: list[Webhook] | None = None) -> Job:
    queue = Queue("changes", connection=redis, serializer=JSONSerializer)
    return queue.enqueue(function, args=(argument,), job_id="victim", webhooks=webhooks)


@pytest.fixture(autouse=True)
def own(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where what is turned away is recorded."""
    monkeypatch.setenv("REDIS_URL", f"unix://{redis.connection_pool.connection_kwargs['path']}?db=0")


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the one function was called with."""
    calls: list[str] = []
    monkeypatch.setattr(run, "run", calls.append)
    return calls


@pytest.fixture
def elsewhere() -> Iterator[tuple[str, list[str]]]:
    """An address on loopback, and who called there."""
    calls: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            calls.append(self.path)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/", calls
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("job_class", "happens"), [(Job, True), (AllowlistedJob, False)])
def test_another_function_is_not_run(
    redis: Redis, ran: list[str], tmp_path: Path, job_class: type[Job], happens: bool
) -> None:
    enqueue(redis, "os.system", f"touch {tmp_path / 'mark'}")
    work(redis, job_class)
    assert (tmp_path / "mark").exists() is happens
    assert ran == [], "nor is it taken for the one that is allowed"
    if not happens:
        failed = Job.fetch("victim", redis, JSONSerializer)
        assert failed.get_status() is JobStatus.FAILED
        assert "runs jobs.run.run only, not os.system" in str(failed.latest_result().exc_string)


def test_a_method_of_an_object_is_not_run(redis: Redis, ran: list[str]) -> None:
    job = enqueue(redis, "jobs.run.run", "asked")
    forged = JSONSerializer.dumps(("jobs.run.run", "an instance", ["asked"], {}))
    redis.hset(job.key, "data", forged)
    work(redis, AllowlistedJob)
    assert ran == []
    assert Job.fetch("victim", redis, JSONSerializer).get_status() is JobStatus.FAILED


@pytest.mark.parametrize("kind", CALLBACKS)
def test_a_callback_written_into_the_job_is_not_even_read(redis: Redis, ran: list[str], kind: str) -> None:
    enqueue(redis, "jobs.run.run", "asked")
    redis.hset("rq:job:victim", kind, "os.getcwd")
    attribute = f"_{kind}"
    assert getattr(Job.fetch("victim", redis, JSONSerializer), attribute) == "os.getcwd"
    assert getattr(AllowlistedJob.fetch("victim", redis, JSONSerializer), attribute) is None
    work(redis, AllowlistedJob)
    assert ran == ["asked"], "the one function that is allowed did run"


@pytest.mark.parametrize(("job_class", "happens"), [(Job, True), (AllowlistedJob, False)])
def test_a_webhook_written_into_the_job_is_not_sent(
    redis: Redis, ran: list[str], elsewhere: tuple[str, list[str]], job_class: type[Job], happens: bool
) -> None:
    url, calls = elsewhere
    enqueue(redis, "jobs.run.run", "asked", [Webhook(url, "finished", method="POST")])
    work(redis, job_class)
    assert ran == ["asked"]
    assert bool(calls) is happens


def test_a_cleaner_that_died_keeps_others_from_it_for_seconds_only(redis: Redis) -> None:
    """RQ's own lock would last for a quarter of an hour."""
    queue = ImkerQueue("changes", connection=redis, serializer=JSONSerializer)
    assert queue.acquire_maintenance_lock()
    assert not queue.acquire_maintenance_lock()
    assert 0 < redis.ttl(queue.registry_cleaning_key) <= MAINTENANCE_LOCK
