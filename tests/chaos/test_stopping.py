"""Stopping the RQ workers that change hosts: what runs ends, nothing new is taken, and who comes next takes it."""

import signal

from jobs.contract import StepDone
from tests.chaos.conftest import World


def test_a_run_under_way_ends_and_the_next_one_waits_for_the_new_workers(world: World) -> None:
    first = world.upgrading("connewitz")
    old = world.processes.running["changes"]
    old.send_signal(signal.SIGTERM)
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
