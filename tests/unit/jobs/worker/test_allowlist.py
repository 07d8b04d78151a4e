"""Check that a client that can write to Redis can run one function only. Each attack works on RQ's own job class."""

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
def redis_url(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point the worker at this Redis, for the audit log of rejected jobs."""
    monkeypatch.setenv("REDIS_URL", f"unix://{redis.connection_pool.connection_kwargs['path']}?db=0")


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the calls of the one allowed function."""
    calls: list[str] = []
    monkeypatch.setattr(run, "run", calls.append)
    return calls


@pytest.fixture
def webhook_server() -> Iterator[tuple[str, list[str]]]:
    """Return an HTTP address on loopback, and the calls that it received."""
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
def test_runs_no_other_function(
    redis: Redis, ran: list[str], tmp_path: Path, job_class: type[Job], happens: bool
) -> None:
    enqueue(redis, "os.system", f"touch {tmp_path / 'mark'}")
    work(redis, job_class)
    assert (tmp_path / "mark").exists() is happens
    assert ran == [], "and it does not run as the allowed one"
    if not happens:
        failed = Job.fetch("victim", redis, JSONSerializer)
        assert failed.get_status() is JobStatus.FAILED
        assert "runs jobs.run.run only, not os.system" in str(failed.latest_result().exc_string)


def test_runs_no_method_of_an_instance(redis: Redis, ran: list[str]) -> None:
    job = enqueue(redis, "jobs.run.run", "a request")
    forged = JSONSerializer.dumps(("jobs.run.run", "an instance", ["a request"], {}))
    redis.hset(job.key, "data", forged)
    work(redis, AllowlistedJob)
    assert ran == []
    assert Job.fetch("victim", redis, JSONSerializer).get_status() is JobStatus.FAILED


@pytest.mark.parametrize("kind", CALLBACKS)
def test_ignores_callbacks_in_a_job(redis: Redis, ran: list[str], kind: str) -> None:
    enqueue(redis, "jobs.run.run", "a request")
    redis.hset("rq:job:victim", kind, "os.getcwd")
    attribute = f"_{kind}"
    assert getattr(Job.fetch("victim", redis, JSONSerializer), attribute) == "os.getcwd"
    assert getattr(AllowlistedJob.fetch("victim", redis, JSONSerializer), attribute) is None
    work(redis, AllowlistedJob)
    assert ran == ["a request"], "the allowed function did run"


@pytest.mark.parametrize(("job_class", "happens"), [(Job, True), (AllowlistedJob, False)])
def test_sends_no_webhook_of_a_job(
    redis: Redis, ran: list[str], webhook_server: tuple[str, list[str]], job_class: type[Job], happens: bool
) -> None:
    url, calls = webhook_server
    enqueue(redis, "jobs.run.run", "a request", [Webhook(url, "finished", method="POST")])
    work(redis, job_class)
    assert ran == ["a request"]
    assert bool(calls) is happens


def test_maintenance_lock_of_a_dead_worker_expires_within_seconds(redis: Redis) -> None:
    """RQ's own lock would last 15 minutes."""
    queue = ImkerQueue("changes", connection=redis, serializer=JSONSerializer)
    assert queue.acquire_maintenance_lock()
    assert not queue.acquire_maintenance_lock()
    assert 0 < redis.ttl(queue.registry_cleaning_key) <= MAINTENANCE_LOCK
