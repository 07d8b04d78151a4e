"""Whoever can write to Redis can call a job failed; what the job tells later corrects it."""

from dataclasses import replace

import pytest
from redis import Redis

from bot.records import DAY
from bot.runs.lost_runs import LOST_RUNS_KEY
from bot.runs.queue import JOB_TIMEOUT
from bot.state.fleet_state import host_run_id
from imker.protocol.events import DecisionRequested, FleetPlanned, JobFinished, JobStarted
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


def shown(world: World, run: str) -> str:
    """The run's message as it is now; those of runs that the tests begin stand at the same place."""
    return world.channel.posts[TS if TS in world.channel.posts else run][-1]


def test_a_run_that_was_called_failed_is_told_as_done_when_its_job_ends_well(world: World) -> None:
    run = world.create_run("running")
    called_failed(world, run)
    assert "The RQ worker stopped" in shown(world, run)
    assert run not in world.runs.open_runs()
    world.emit(run, DONE)
    world.look()
    assert "kaditz is in the swarm" in shown(world, run)
    assert "The RQ worker stopped" not in shown(world, run)
    assert world.redis.zcard(LOST_RUNS_KEY) == 0
    world.look()
    assert run not in world.runs.open_runs()


def test_one_that_asks_after_all_waits_for_its_answer(world: World) -> None:
    run = world.create_run("running")
    called_failed(world, run)
    world.emit(run, DecisionRequested("continue", "f00d"))
    world.look()
    assert "has warnings: continue?" in shown(world, run)
    assert run in world.runs.open_runs()


def test_one_whose_job_tells_nothing_is_not_looked_at_for_ever(world: World) -> None:
    run = world.create_run("running")
    called_failed(world, run)
    world.look(DAY + JOB_TIMEOUT - 300)
    assert world.redis.zcard(LOST_RUNS_KEY) == 1
    world.look(600)
    assert world.redis.zcard(LOST_RUNS_KEY) == 0
    assert "The RQ worker stopped" in shown(world, run)


def test_a_fleet_whose_host_was_called_failed_goes_on_with_the_next(
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
    assert fleet not in world.runs.open_runs(), "it stopped with its host"
    world.emit(first, replace(DONE))
    for _ in range(2):
        world.look()
    assert f"{second}-1" in world.enqueued_requests(), "it goes on"
    assert fleet in world.runs.open_runs()


@pytest.mark.parametrize("evil", ["set bot:lost x", "zadd bot:lost 9e9 nosuchrun", "zadd bot:lost inf \xff"])
def test_a_list_of_lost_runs_that_somebody_wrote_keeps_no_message_from_being_made(world: World, evil: str) -> None:
    world.redis.execute_command(*evil.split())
    run = world.create_run("running")
    world.look()
    assert "inspecting the host" in shown(world, run)
