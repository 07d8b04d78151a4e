"""Stopping the RQ workers that change hosts: what runs ends, nothing new is taken, and who comes next takes it."""

import os
import signal
from collections.abc import Callable

import pytest

from imker.protocol.events import StepDone
from tests.chaos.conftest import ChaosWorld


def main(world: ChaosWorld) -> list[int]:
    """As systemd, with KillMode=mixed."""
    return [world.processes.by_name["changes"].pid]


def group(world: ChaosWorld) -> list[int]:
    """As honcho, or Ctrl-C: the RQ workers hear it twice, from their crew as well. A job has a group of its own."""
    return [*main(world), *world.workers()]


@pytest.mark.parametrize("expected_text", [main, group])
def test_a_run_under_way_ends_and_the_next_one_waits_for_the_new_workers(
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
    assert world.event_bodies(run) == [], "nobody has taken it"
    world.wait_for_text(second, "queued")
    world.processes.start("changes")
    world.wait_for_text(second, "is in the swarm")
    assert any(isinstance(body, StepDone) for body in world.event_bodies(run))
