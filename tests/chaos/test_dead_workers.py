"""How long a run's message goes on as if nothing were, after what worked on it was killed: never a minute."""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lab.chaos.processes import children
from lab.slack.client import Seen
from tests.chaos.conftest import UPGRADE, World, stop
from tests.figures import figure

BOUND = 60.0  # seconds
WITH_IT = 1.0  # seconds until a job is gone whose RQ worker was killed
pytestmark = pytest.mark.timeout(180)


def kill(*processes: int) -> None:
    for process in processes:
        os.kill(process, signal.SIGKILL)


def job(world: World) -> Seen:
    message = world.upgrading("connewitz")
    kill(world.busy()[1])
    return message


def worker(world: World) -> Seen:
    """While all others are busy, and the one in its place is at once."""
    world.fleet.world.pace = replace(world.fleet.world.pace, upgrade=2 * BOUND)
    message = world.upgrading("connewitz")
    victim = world.busy()[0]
    world.upgrading("tondi")
    world.asks("/swarm migrate lausen --manager")
    kill(victim)
    world.soon(lambda: len(list(filter(children, world.workers()))) == 2 and victim not in world.workers())
    return message


def everything(world: World) -> Seen:
    """The crew, its RQ workers and the job, as when the power goes; somebody starts them again."""
    message = world.upgrading("connewitz")
    victims = [*world.workers(), world.busy()[1]]
    stop(*victims)
    kill(*victims)
    world.processes.kill("changes")
    world.processes.start("changes")
    return message


WHO = {
    job: "a job",
    worker: "an RQ worker, all others busy,",
    everything: "all RQ workers and the job",
}


@pytest.mark.figures
@pytest.mark.parametrize("fault", WHO)
def test_a_run_whose_job_was_killed_is_told_as_lost_in_time(world: World, fault: Callable[[World], Seen]) -> None:
    message = fault(world)
    killed = time.monotonic()
    lost = world.sees(message, "RQ reports that the job failed", BOUND)
    figure(f"{WHO[fault]} killed: told as lost after", f"{time.monotonic() - killed:.1f} s")
    assert "/swarm migrate connewitz" in lost.plain


@pytest.mark.figures
def test_a_job_that_was_popped_and_not_begun_goes_to_another_rq_worker(world: World) -> None:
    """Between the queue and the first word: Redis has given the job away, and nobody has begun it."""
    victims = world.workers()
    stop(*victims)
    _, message = world.asks("/swarm migrate connewitz")
    world.soon(lambda: world.redis.llen("rq:queue:changes:intermediate"))
    kill(*victims)
    killed = time.monotonic()
    world.soon(lambda: world.fleet["connewitz"].units.running(UPGRADE), BOUND)
    figure("RQ workers killed before they began a job: begun after", f"{time.monotonic() - killed:.1f} s")
    world.sees(message, "is in the swarm")


def test_a_job_dies_with_its_rq_worker(world: World) -> None:
    """An orphan would go on changing its host."""
    world.upgrading("connewitz")
    worker, orphan = world.busy()
    kill(worker)
    world.soon(lambda: gone(orphan), WITH_IT)


def gone(process: int) -> bool:
    """A zombie has no words."""
    try:
        return not Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return True
