"""The simulated swarm is proved against real Engines: the same calls about services give the same results."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from jobs import settings
from jobs.connectors.engine import Engine
from jobs.inventory import hosts as inventory_of
from lab.fleet import fleet
from lab.fleet.hosts import BY_NAME, LabHost
from lab.simulated.fleet import run_fleet, select_hosts
from tests.e2e.support.deployment import run_on
from tests.simulated.conftest import FAST_PACE
from tests.support.engine_calls import Calls, difference
from tests.support.service_story import play
from tests.support.simulated_swarm import form_swarm

pytestmark = [pytest.mark.fleet, pytest.mark.long, pytest.mark.timeout(500)]
MANAGER, WORKER = "connewitz", "tondi"
IMAGE = "shop:1"
COMMIT = ("docker", "commit", "--change", 'CMD ["/idle"]', "web", IMAGE)
MIN_CALLS = 60


@pytest.fixture
def real(three: tuple[LabHost, ...]) -> Iterator[Calls]:
    """Create a swarm of two real hosts that have the image. Reset both after the test."""
    fleet.reset([MANAGER, WORKER])
    address = BY_NAME[MANAGER].address
    run_on(MANAGER, "docker", "swarm", "init", "--advertise-addr", address)
    token = run_on(MANAGER, "docker", "swarm", "join-token", "-q", "worker").strip()
    run_on(WORKER, "docker", "swarm", "join", "--token", token, f"{address}:2377")
    for host in (MANAGER, WORKER):
        run_on(host, *COMMIT)
    yield _calls(fleet.CLIENT_DIR)
    fleet.reset([MANAGER, WORKER])


@pytest.fixture
def simulated(tmp_path: Path) -> Iterator[Calls]:
    with ExitStack() as stack:
        world = stack.enter_context(run_fleet(select_hosts((MANAGER, WORKER)), tmp_path, FAST_PACE))
        form_swarm(world)
        for name in (MANAGER, WORKER):
            world[name].images.add(IMAGE)
        yield _calls(tmp_path)
        assert world.world.history.unknown_requests == []


def _calls(folder: Path) -> Calls:
    inventory = inventory_of.load_inventory(settings.load_settings(folder / "imker.toml"))
    return Calls(Engine(inventory[MANAGER], 30), Engine(inventory[WORKER], 30), IMAGE)


def test_simulated_engines_answer_like_real_ones(real: Calls, simulated: Calls) -> None:
    for calls in (simulated, real):
        play(calls)
    assert len(real.notes) >= MIN_CALLS
    differences = {name: difference(note, real.notes[name]) for name, note in simulated.notes.items()}
    assert {name: text for name, text in differences.items() if text} == {}
