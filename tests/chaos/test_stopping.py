"""Stop the RQ workers of `changes`: the running job finishes, no job starts, and new workers take the next one."""

import os
import signal
from collections.abc import Callable

import pytest

from imker.protocol.events import StepDone
from tests.chaos.conftest import ChaosWorld


def main_process(world: ChaosWorld) -> list[int]:
    """Stop only the main process, as systemd with KillMode=mixed does."""
    return [world.processes.by_name["changes"].pid]


def process_group(world: ChaosWorld) -> list[int]:
    """Stop the process group, as honcho or Ctrl-C does. Workers get the signal twice; a job has its own group."""
    return [*main_process(world), *world.workers()]


@pytest.mark.parametrize("processes_to_stop", [main_process, process_group])
def test_finishes_the_running_job_and_leaves_the_next_to_new_workers(
    world: ChaosWorld, processes_to_stop: Callable[[ChaosWorld], list[int]]
) -> None:
    first = world.start_upgrade("connewitz")
    old = world.processes.by_name["changes"]
    for process in processes_to_stop(world):
        os.kill(process, signal.SIGTERM)
    world.wait_until(lambda: len(world.workers()) == 1)
    run, second = world.send_command("/swarm migrate lausen")
    assert world.fleet["connewitz"].units.is_running("imker-upgrade.service"), (
        "the second command came during the first job"
    )
    world.wait_for_text(first, "is in the swarm")
    assert old.wait(10) == 0
    assert world.event_bodies(run) == [], "no worker has started it"
    world.wait_for_text(second, "queued")
    world.processes.start("changes")
    world.wait_for_text(second, "is in the swarm")
    assert any(isinstance(body, StepDone) for body in world.event_bodies(run))
