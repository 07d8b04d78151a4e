"""RQ's word on a job, as the bot reads it: its status, and nothing else that stands in Redis."""

import pytest
from redis import Redis
from rq.job import Job

from bot import records
from bot.runs import queue
from tests.support import poisoned_jobs
from tests.support.bot_harness import BotHarness, parse_settings_file

FILE = parse_settings_file('[slack]\nchannels = ["C01OPS"]\n[rights]\nchange = ["U01ALICE"]')


@pytest.mark.parametrize("kind", [*poisoned_jobs.BY_ANY, *poisoned_jobs.BY_ADMIN])
def test_a_poisoned_job_costs_the_bot_nothing(redis: Redis, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bomb of 78 KB took 80 MB of the bot and of the reconciler."""
    monkeypatch.setattr(Job, "restore", lambda *_: pytest.fail("more was read than the status"))
    {**poisoned_jobs.BY_ANY, **poisoned_jobs.BY_ADMIN}[kind](redis, "evil0001-1", "changes")
    assert queue.job_status(redis, "evil0001-1", "queued") in ("queued", "lost")


@pytest.mark.parametrize(("status", "state"), [
    ("queued", "queued"), ("started", "running"), ("finished", "finished"), ("failed", "lost"), ("stopped", "lost"),
    ("canceled", "lost"), ("deferred", "queued"), ("bogus", "lost"), (b"\xff", "lost"), ("x" * 100_000, "lost"),
])  # fmt: skip
def test_what_rq_says_of_a_job(redis: Redis, status: str | bytes, state: str) -> None:
    redis.hset("rq:job:goodgood-1", "status", status)
    assert queue.job_status(redis, "goodgood-1", "queued") == state


@pytest.mark.parametrize("unknown", ["queued", "lost"])
def test_a_job_that_rq_does_not_know(redis: Redis, unknown: records.QueueStatus) -> None:
    assert queue.job_status(redis, "goodgood-1", unknown) == unknown
    redis.hset("rq:job:goodgood-1", "x", "y")
    assert queue.job_status(redis, "goodgood-1", unknown) == unknown


def test_a_run_whose_job_was_poisoned_can_be_looked_at(redis: Redis) -> None:
    bench = BotHarness(redis, FILE)
    run = bench.create_run("running")
    redis.hset(f"rq:job:{run}-1", mapping={"created_at": "no date", "data": poisoned_jobs.BOMB})
    record = bench.runs.record(run)
    assert record
    assert bench.runs.run_state(record).status == "running"
