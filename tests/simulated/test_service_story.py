"""The story of calls about services plays on simulated hosts; tests/e2e compares it with real ones."""

from itertools import permutations

from jobs.connectors.engine import Engine
from tests.simulated.conftest import JobRunner
from tests.support.engine_calls import Calls, difference, shape
from tests.support.service_story import play
from tests.support.simulated_swarm import form_swarm


def test_plays_on_simulated_hosts(imker: JobRunner) -> None:
    form_swarm(imker.fleet)
    imker.fleet.world.swarm.drain(imker.fleet["lausen"])
    calls = Calls(Engine(imker.host("connewitz"), 30), Engine(imker.host("tondi"), 30), "nginx:1.11")
    play(calls)
    assert len(calls.notes) >= 60


def test_the_order_of_a_list_makes_no_difference() -> None:
    """Engines list tasks in the order of their IDs: a task of a global service, which has no slot, may be the first."""
    tasks = [{"ID": "a", "Slot": 1}, {"ID": "b"}, {"ID": "c", "Slot": 2, "Status": {"Err": None}}]
    expected = [{"ID": "str", "Slot": "int", "Status": {"Err": "NoneType"}}]
    assert all(shape(list(each)) == expected for each in permutations(tasks))
    assert shape([{"Err": None}, {"Err": "No such image"}]) == [{"Err": "str"}]
    assert difference((200, shape(tasks)), (200, shape(tasks[::-1]))) == ""
    assert difference((200, shape(tasks)), (200, shape(tasks[:2]))) != ""
