"""Check how foreign jobs and jobs with an internal failure end."""

from typing import Any

import pytest
from redis import Redis
from redis.exceptions import OutOfMemoryError
from rq import Queue, SimpleWorker
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer

from imker.audit_log import AuditLog, AuditLogBroken
from imker.config import ConfigError
from imker.protocol import codec
from imker.protocol.commands import Migrate, Request
from imker.protocol.events import JobFinished
from jobs import run
from jobs.events.writer import EventWriter
from jobs.worker.allowlist import AllowlistedJob
from tests.support import streams

REQUEST = Request("k3fm9x2q", 1, Migrate("kaditz"), "U01ALICE")
TEXT = codec.encode_message(REQUEST)


@pytest.mark.parametrize(
    ("function", "arguments", "why"),
    [
        ("jobs.run.run", ("nonsense", "0" * 64), "not a message of this protocol"),
        ("jobs.run.run", (), "not a message of this protocol"),
        ("jobs.run.run", ([TEXT], {}), "not a message of this protocol"),
        ("jobs.run.run", (TEXT,), "the job is not signed"),
        ("jobs.run.run", (TEXT, "0" * 64, "more"), "the job's signature is invalid"),
        ("os.system", ("true",), "this RQ worker runs jobs.run.run only, not os.system"),
    ],
)
def test_records_each_rejected_job_in_the_audit_log(
    redis: Redis, monkeypatch: pytest.MonkeyPatch, function: str, arguments: tuple[Any, ...], why: str
) -> None:
    monkeypatch.setenv("REDIS_URL", f"unix://{redis.connection_pool.connection_kwargs['path']}?db=0")
    monkeypatch.setenv("IMKER_SIGNING_KEY", "x" * 64)
    queue = Queue("changes", connection=redis, serializer=JSONSerializer)
    queue.enqueue(function, args=arguments, job_id="odd")
    SimpleWorker([queue], connection=redis, serializer=JSONSerializer, job_class=AllowlistedJob).work(burst=True)
    assert Job.fetch("odd", redis, JSONSerializer).get_status() is JobStatus.FAILED
    (entry,) = AuditLog(redis).entries()
    assert entry
    assert (entry.fact.kind, entry.fact.details["why"]) == ("refused", "job rejected")
    assert entry.fact.details["answer"].startswith(why)


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (ConfigError(["imker.toml: [fleet] parallel: must be at least 1"]), "[fleet] parallel: must be at least 1"),
        (AuditLogBroken("no"), "the audit log cannot be written"),
        (OutOfMemoryError("OOM"), "Redis is full"),
        (ZeroDivisionError("no"), "Imker hit an internal error"),
    ],
)
def test_explains_failures_that_no_host_caused(redis: Redis, error: Exception, says: str) -> None:
    def open_context() -> Any:
        raise error

    writer = EventWriter(redis, streams.KEY, "k3fm9x2q", 1, lambda: 7.0)
    run.run_handler(REQUEST, writer, open_context)
    (event,) = writer.event_log().events
    assert isinstance(event.body, JobFinished)
    assert event.body.outcome == "failed"
    assert says in event.body.summary
    assert event.body.next_commands
