"""`/swarm nodes` with warm RQ workers: how much longer it takes than the question to the Engine that it is about."""

import os
import time
from statistics import median

import pytest

from jobs import gather, inventory, settings
from jobs.engine import Engine
from lab.story import ALICE, OPS
from tests.chaos.conftest import World
from tests.figures import figure

TIMES = 20
MORE = 0.3 if "FIGURES" in os.environ else 1.0  # seconds: what is promised; among all tests the machine is not Imker's


@pytest.mark.figures
def test_the_nodes_are_told_soon_after_the_engine_has_told_them(world: World) -> None:
    world.sees(world.asks("/swarm migrate connewitz --manager")[1], "is in the swarm")
    answered(world)
    asked, told = median(node_ls(world) for _ in range(TIMES)), median(answered(world) for _ in range(TIMES))
    figure("/swarm nodes answered, beside docker node ls", f"{told:.2f} s, {asked:.2f} s")
    assert told < asked + MORE


def node_ls(world: World) -> float:
    """What `docker node ls` does over TLS: one connection, the Engine's version, the list."""
    hosts = inventory.load(settings.load(world.fleet.folder / "imker.toml"))
    began = time.monotonic()
    assert len(gather.node_list(Engine(hosts["connewitz"]))) == 1
    return time.monotonic() - began


def answered(world: World) -> float:
    """From Enter until the table stands in the channel."""
    before = max(seen.ts for seen in world.workspace.sees(ALICE, OPS))
    began = time.monotonic()
    assert world.workspace.say(ALICE, OPS, "/swarm nodes")["acked"]
    while not any(seen.ts > before and "asked connewitz" in seen.plain for seen in world.workspace.sees(ALICE, OPS)):
        assert time.monotonic() < began + 30
        time.sleep(0.01)
    return time.monotonic() - began
