"""Stopping the RQ workers that change hosts: what runs ends, nothing new is taken, and who comes next takes it."""

import os
import signal
from collections.abc import Callable

import pytest

from jobs.contract import StepDone
from tests.chaos.conftest import World


def main(world: World) -> list[int]:
    """As systemd, with KillMode=mixed."""
    return [world.processes.running["changes"].pid]


def group(world: World) -> list[int]:
    """As honcho, or Ctrl-C: the RQ workers hear it twice, from their crew as well. A job has a group of its own."""
    return [*main(world), *world.workers()]


@pytest.mark.parametrize("told", [main, group])
def test_a_run_under_way_ends_and_the_next_one_waits_for_the_new_workers(
    world: World, told: Callable[[World], list[int]]
) -> None:
    first = world.upgrading("connewitz")
    old = world.processes.running["changes"]
    for process in told(world):
        os.kill(process, signal.SIGTERM)
    world.soon(lambda: len(world.workers()) == 1)
    run, second = world.asks("/swarm migrate lausen")
    assert world.fleet["connewitz"].units.running("imker-upgrade.service"), "it was asked while the other went on"
    world.sees(first, "is in the swarm")
    assert old.wait(10) == 0
    assert world.told(run) == [], "nobody has taken it"
    world.sees(second, "queued")
    world.processes.start("changes")
    world.sees(second, "is in the swarm")
    assert any(isinstance(body, StepDone) for body in world.told(run))
