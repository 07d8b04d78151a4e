"""Stop the RQ workers of `changes`: the running job finishes, no job starts, and new workers take the next one."""

import os
import signal
from collections.abc import Callable

import pytest

from imker.protocol.events import StepDone
from tests.chaos.conftest import ChaosWorld


def main(world: ChaosWorld) -> list[int]:
    """Stop only the main process, as systemd with KillMode=mixed does."""
    return [world.processes.by_name["changes"].pid]


def group(world: ChaosWorld) -> list[int]:
    """Stop the process group, as honcho or Ctrl-C does. Workers get the signal twice; a job has its own group."""
    return [*main(world), *world.workers()]


@pytest.mark.parametrize("expected_text", [main, group])
def test_finishes_the_running_job_and_leaves_the_next_to_new_workers(
    world: ChaosWorld, expected_text: Callable[[ChaosWorld], list[int]]
) -> None:
    first = world.start_upgrade("connewitz")
    old = world.processes.by_name["changes"]
    for process in expected_text(world):
        os.kill(process, signal.SIGTERM)
    world.wait_until(lambda: len(world.workers()) == 1)
    run, second = world.send_command("/swarm migrate lausen")
    assert world.fleet["connewitz"].units.is_running("imker-upgrade.service"), "it was asked while the other went on"
    world.wait_for_text(first, "is in the swarm")
    assert old.wait(10) == 0
    assert world.event_bodies(run) == [], "no worker has started it"
    world.wait_for_text(second, "queued")
    world.processes.start("changes")
    world.wait_for_text(second, "is in the swarm")
    assert any(isinstance(body, StepDone) for body in world.event_bodies(run))
