"""Whoever can write to Redis can call a job failed; what the job tells later corrects it."""

from dataclasses import replace

import pytest
from redis import Redis

from bot.fleet import leg_run
from bot.lost import LOST
from bot.queue import TIMEOUT
from bot.record import DAY
from jobs.contract import Began, Ended, FleetPlanned, Leg, Waiting
from tests.bot.desk import STATES
from tests.bot.test_forged import FILE, TS, World

DONE = Ended("done", "kaditz is in the swarm")
TWO = FleetPlanned((Leg("kaditz", "worker", 3, 0, ""), Leg("tondi", "worker", 3, 1, "")))


@pytest.fixture
def world(redis: Redis) -> World:
    return World(redis, FILE)


def called_failed(world: World, run: str) -> None:
    world.redis.hset(f"rq:job:{run}-1", "status", "failed")
    world.look()


def shown(world: World, run: str) -> str:
    """The run's message as it is now; those of runs that the tests begin stand at the same place."""
    return world.channel.posted[TS if TS in world.channel.posted else run][-1]


def test_a_run_that_was_called_failed_is_told_as_done_when_its_job_ends_well(world: World) -> None:
    run = world.run("running")
    called_failed(world, run)
    assert "RQ reports that the job failed" in shown(world, run)
    assert run not in world.runs.open_runs()
    world.tell(run, DONE)
    world.look()
    assert "kaditz is in the swarm" in shown(world, run)
    assert "RQ reports" not in shown(world, run)
    assert world.redis.zcard(LOST) == 0
    world.look()
    assert run not in world.runs.open_runs()


def test_one_that_asks_after_all_waits_for_its_answer(world: World) -> None:
    run = world.run("running")
    called_failed(world, run)
    world.tell(run, Waiting("continue", "f00d"))
    world.look()
    assert "has warnings: continue?" in shown(world, run)
    assert run in world.runs.open_runs()


def test_one_whose_job_tells_nothing_is_not_looked_at_for_ever(world: World) -> None:
    run = world.run("running")
    called_failed(world, run)
    world.look(DAY + TIMEOUT - 300)
    assert world.redis.zcard(LOST) == 1
    world.look(600)
    assert world.redis.zcard(LOST) == 0
    assert "RQ reports that the job failed" in shown(world, run)


def test_a_fleet_whose_host_was_called_failed_goes_on_with_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    who, command, channel, (began, _, waiting) = STATES["fleet"]
    monkeypatch.setitem(STATES, "fleet", (who, command, channel, (began, TWO, waiting)))
    fleet = world.starts()
    world.look()
    first, second = leg_run(fleet, "kaditz"), leg_run(fleet, "tondi")
    assert (f"{first}-1" in world.requests(), f"{second}-1" in world.requests()) == (True, False)
    world.tell(first, Began("kaditz"))
    called_failed(world, first)
    world.look()
    assert fleet not in world.runs.open_runs(), "it stopped with its host"
    world.tell(first, replace(DONE))
    for _ in range(2):
        world.look()
    assert f"{second}-1" in world.requests(), "it goes on"
    assert fleet in world.runs.open_runs()


@pytest.mark.parametrize("evil", ["set bot:lost x", "zadd bot:lost 9e9 nosuchrun", "zadd bot:lost inf \xff"])
def test_a_list_of_lost_runs_that_somebody_wrote_keeps_no_message_from_being_made(world: World, evil: str) -> None:
    world.redis.execute_command(*evil.split())
    run = world.run("running")
    world.look()
    assert "looking at what is true" in shown(world, run)
