"""Measure how soon a fleet's next host starts when the one before it has settled, while Slack is slow."""

import os
from itertools import pairwise

import pytest

from imker.protocol.events import DecisionRequested, JobFinished, JobStarted
from imker.protocol.run_id import host_run_id
from lab.simulated.engine_versions import Pace
from lab.story import ALICE
from tests.chaos.conftest import NAMES, ChaosWorld
from tests.support import streams
from tests.support.figures import record_figure

SLACK_SECONDS = 3.0  # that each edit of a message takes
LIMIT = 0.3 if "FIGURES" in os.environ else SLACK_SECONDS  # seconds: among all tests the machine is not Imker's


@pytest.mark.figures
def test_next_host_does_not_wait_for_slack(world: ChaosWorld) -> None:
    world.fleet.world.pace = Pace(upgrade=0.5, restart=0.05, boot=0.5, join=0.05)
    run, message = world.send_command("/swarm migrate all")
    plan = world.wait_for_text(message, "planned: start?")
    world.workspace.set_fault("latency", method="chat.update", times=-1, seconds=SLACK_SECONDS)
    world.workspace.press(ALICE, plan, "Start")
    legs = [host_run_id(run, name) for name in NAMES]
    world.wait_until(lambda: settled_at(world, legs[-1]), 60)
    gaps = [started_at(world, after) - settled_at(world, before) for before, after in pairwise(legs)]
    record_figure("a host of a fleet settled, until the next one starts", f"{min(gaps):.2f} to {max(gaps):.2f} s")
    assert max(gaps) < LIMIT


def settled_at(world: ChaosWorld, run: str) -> float:
    """Return when the first job of the run ended, 0 before that."""
    events = streams.read_events(world.redis, run, streams.embedded_signing_key(world.redis))
    return next((event.at for event in events if isinstance(event.body, JobFinished | DecisionRequested)), 0.0)


def started_at(world: ChaosWorld, run: str) -> float:
    events = streams.read_events(world.redis, run, streams.embedded_signing_key(world.redis))
    return next(event.at for event in events if isinstance(event.body, JobStarted))
