"""The story of calls about services plays on simulated hosts; tests/e2e compares it with real ones."""

from jobs.connectors.engine import Engine
from tests.simulated.conftest import JobRunner
from tests.support.engine_calls import Calls
from tests.support.service_story import play
from tests.support.simulated_swarm import form_swarm


def test_plays_on_simulated_hosts(imker: JobRunner) -> None:
    form_swarm(imker.fleet)
    imker.fleet.world.swarm.drain(imker.fleet["lausen"])
    calls = Calls(Engine(imker.host("connewitz"), 30), Engine(imker.host("tondi"), 30), "nginx:1.11")
    play(calls)
    assert len(calls.notes) >= 60
