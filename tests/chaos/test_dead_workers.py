"""Measure how long the message of a run looks alive after its worker was killed: always less than a minute."""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lab.chaos.supervisor import child_pids
from lab.slack.client import VisibleMessage
from tests.chaos.conftest import UPGRADE, ChaosWorld, suspend
from tests.support.figures import record_figure

BOUND = 60.0  # seconds
WITH_IT = 1.0  # seconds until a job is gone whose RQ worker was killed
pytestmark = pytest.mark.timeout(180)


def kill(*processes: int) -> None:
    for process in processes:
        os.kill(process, signal.SIGKILL)


def job(world: ChaosWorld) -> VisibleMessage:
    message = world.start_upgrade("connewitz")
    kill(world.busy_worker()[1])
    return message


def worker(world: ChaosWorld) -> VisibleMessage:
    """Kill the RQ worker while all others are busy; the pool replaces it at once."""
    world.fleet.world.pace = replace(world.fleet.world.pace, upgrade=2 * BOUND)
    message = world.start_upgrade("connewitz")
    victim = world.busy_worker()[0]
    world.start_upgrade("tondi")
    world.send_command("/swarm migrate lausen --manager")
    kill(victim)
    world.wait_until(lambda: len(list(filter(child_pids, world.workers()))) == 2 and victim not in world.workers())
    return message


def everything(world: ChaosWorld) -> VisibleMessage:
    """Kill the pool, its RQ workers, and the job, as a power failure does, and start them again."""
    message = world.start_upgrade("connewitz")
    victims = [*world.workers(), world.busy_worker()[1]]
    suspend(*victims)
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
def test_reports_a_run_with_a_killed_job_as_lost_in_time(
    world: ChaosWorld, fault: Callable[[ChaosWorld], VisibleMessage]
) -> None:
    message = fault(world)
    killed = time.monotonic()
    lost = world.wait_for_text(message, "The RQ worker stopped", BOUND)
    record_figure(f"{WHO[fault]} killed, until its run is shown as lost", f"{time.monotonic() - killed:.1f} s")
    assert "/swarm migrate connewitz" in lost.plain_text


@pytest.mark.figures
def test_requeues_a_job_that_was_popped_but_not_started(world: ChaosWorld) -> None:
    """Kill the RQ worker after Redis gave it the job and before it emits the first event."""
    victims = world.workers()
    suspend(*victims)
    _, message = world.send_command("/swarm migrate connewitz")
    world.wait_until(lambda: world.redis.llen("rq:queue:changes:intermediate"))
    kill(*victims)
    killed = time.monotonic()
    world.wait_until(lambda: world.fleet["connewitz"].units.is_running(UPGRADE), BOUND)
    record_figure("RQ workers killed before they started a job, until it starts", f"{time.monotonic() - killed:.1f} s")
    world.wait_for_text(message, "is in the swarm")


def test_job_exits_with_its_rq_worker(world: ChaosWorld) -> None:
    """An orphaned job would keep changing its host."""
    world.start_upgrade("connewitz")
    worker, orphan = world.busy_worker()
    kill(worker)
    world.wait_until(lambda: gone(orphan), WITH_IT)


def gone(process: int) -> bool:
    """Return whether the process has exited. A zombie has an empty command line."""
    try:
        return not Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return True
