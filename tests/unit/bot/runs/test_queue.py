"""Test reading a job's status from RQ: nothing else of the job is read."""

import pytest
from redis import Redis
from rq.job import Job

from bot import records
from bot.runs import queue
from tests.support import poisoned_jobs
from tests.support.bot_harness import BotHarness, parse_settings_file

FILE = parse_settings_file('[slack]\nchannels = ["C01OPS"]\n[rights]\nchange = ["U01ALICE"]')


@pytest.mark.parametrize("kind", [*poisoned_jobs.BY_ANY, *poisoned_jobs.BY_ADMIN])
def test_reads_only_the_status_of_a_poisoned_job(redis: Redis, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A compressed payload of 78 KB once took 80 MB of memory in the bot and the reconciler."""
    monkeypatch.setattr(Job, "restore", lambda *_: pytest.fail("more than the status was read"))
    {**poisoned_jobs.BY_ANY, **poisoned_jobs.BY_ADMIN}[kind](redis, "evil0001-1", "changes")
    assert queue.job_status(redis, "evil0001-1", "queued") in ("queued", "lost")


@pytest.mark.parametrize(("status", "expected"), [
    ("queued", "queued"), ("started", "running"), ("finished", "finished"), ("failed", "lost"), ("stopped", "lost"),
    ("canceled", "lost"), ("deferred", "queued"), ("bogus", "lost"), (b"\xff", "lost"), ("x" * 100_000, "lost"),
])  # fmt: skip
def test_maps_the_status_of_rq(redis: Redis, status: str | bytes, expected: str) -> None:
    redis.hset("rq:job:goodgood-1", "status", status)
    assert queue.job_status(redis, "goodgood-1", "queued") == expected


@pytest.mark.parametrize("default", ["queued", "lost"])
def test_returns_the_default_for_a_missing_job(redis: Redis, default: records.QueueStatus) -> None:
    assert queue.job_status(redis, "goodgood-1", default) == default
    redis.hset("rq:job:goodgood-1", "x", "y")
    assert queue.job_status(redis, "goodgood-1", default) == default


def test_shows_a_run_whose_job_was_poisoned(redis: Redis) -> None:
    bench = BotHarness(redis, FILE)
    run = bench.create_run("running")
    redis.hset(f"rq:job:{run}-1", mapping={"created_at": "no date", "data": poisoned_jobs.BOMB})
    snapshot = bench.runs.snapshot(run)
    assert snapshot
    assert snapshot.state.status == "running"
