"""Anyone who can write to Redis can report a job as failed; the job's own events correct that."""

from dataclasses import replace

import pytest
from redis import Redis

from bot.records import DAY
from bot.runs.lost_runs import LOST_RUNS_KEY
from bot.runs.queue import JOB_TIMEOUT
from imker.protocol.events import DecisionRequested, FleetPlanned, JobFinished, JobStarted
from imker.protocol.run_id import host_run_id
from imker.protocol.values import HostPlan
from tests.support.bot_harness import SCENARIOS, TS
from tests.unit.bot.runs.test_tampering import FILE, World

DONE = JobFinished("done", "kaditz is in the swarm")
TWO = FleetPlanned((HostPlan("kaditz", "worker", 3, 0, ""), HostPlan("tondi", "worker", 3, 1, "")))


@pytest.fixture
def world(redis: Redis) -> World:
    return World(redis, FILE)


def called_failed(world: World, run: str) -> None:
    world.redis.hset(f"rq:job:{run}-1", "status", "failed")
    world.look()


def message_text(world: World, run: str) -> str:
    """Return the run's current message. All runs of these tests use the same message."""
    return world.channel.posts[TS if TS in world.channel.posts else run][-1]


def test_a_lost_run_is_published_as_done_when_its_job_finishes(world: World) -> None:
    run = world.create_run("running")
    called_failed(world, run)
    assert "The RQ worker stopped" in message_text(world, run)
    assert run not in world.runs.open_runs()
    world.emit(run, DONE)
    world.look()
    assert "kaditz is in the swarm" in message_text(world, run)
    assert "The RQ worker stopped" not in message_text(world, run)
    assert world.redis.zcard(LOST_RUNS_KEY) == 0
    world.look()
    assert run not in world.runs.open_runs()


def test_a_lost_run_whose_job_asks_a_question_waits_for_a_decision(world: World) -> None:
    run = world.create_run("running")
    called_failed(world, run)
    world.emit(run, DecisionRequested("continue", "f00d"))
    world.look()
    assert "has warnings: continue?" in message_text(world, run)
    assert run in world.runs.open_runs()


def test_a_lost_run_without_events_is_rechecked_only_for_a_while(world: World) -> None:
    run = world.create_run("running")
    called_failed(world, run)
    world.look(DAY + JOB_TIMEOUT - 300)
    assert world.redis.zcard(LOST_RUNS_KEY) == 1
    world.look(600)
    assert world.redis.zcard(LOST_RUNS_KEY) == 0
    assert "The RQ worker stopped" in message_text(world, run)


def test_a_fleet_continues_after_a_host_was_falsely_reported_as_failed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    who, command, channel, (began, _, waiting) = SCENARIOS["fleet"]
    monkeypatch.setitem(SCENARIOS, "fleet", (who, command, channel, (began, TWO, waiting)))
    fleet = world.starts()
    world.look()
    first, second = host_run_id(fleet, "kaditz"), host_run_id(fleet, "tondi")
    assert (f"{first}-1" in world.enqueued_requests(), f"{second}-1" in world.enqueued_requests()) == (True, False)
    world.emit(first, JobStarted("kaditz"))
    called_failed(world, first)
    world.look()
    assert fleet not in world.runs.open_runs(), "it stopped because of its host"
    world.emit(first, replace(DONE))
    for _ in range(2):
        world.look()
    assert f"{second}-1" in world.enqueued_requests(), "it continues"
    assert fleet in world.runs.open_runs()


@pytest.mark.parametrize("evil", ["set bot:lost x", "zadd bot:lost 9e9 nosuchrun", "zadd bot:lost inf \xff"])
def test_a_forged_list_of_lost_runs_does_not_stop_other_messages(world: World, evil: str) -> None:
    world.redis.execute_command(*evil.split())
    run = world.create_run("running")
    world.look()
    assert "inspecting the host" in message_text(world, run)
