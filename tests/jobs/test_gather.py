"""A swarm that nobody can be asked about is still one: no second is started beside it."""

from typing import Any

import pytest

from jobs import gather
from jobs.errors import Unreachable
from jobs.inventory import Host


class Engines:
    """`states`: host -> LocalNodeState, "away" for one that does not answer. None of them is a manager."""

    def __init__(self, states: dict[str, str]) -> None:
        self.states = states

    def __call__(self, host: Host, timeout: float = 10) -> Any:
        if self.states[host.name] == "away":
            raise Unreachable(f"{host.name} does not answer")
        return _Engine(self.states[host.name])


class _Engine:
    def __init__(self, state: str) -> None:
        self.state = state

    def info(self) -> dict[str, Any]:
        return {"Swarm": {"LocalNodeState": self.state, "ControlAvailable": False}}


@pytest.mark.parametrize(
    ("states", "says"),
    [
        ({"a": "inactive", "b": ""}, ""),
        ({"a": "away", "b": "inactive"}, ""),
        ({"a": "active", "b": "inactive"}, "only workers answer: this node is not a swarm manager"),
        ({"a": "locked", "b": "inactive"}, "a is locked: give it the swarm's key there, docker swarm unlock"),
        ({"a": "error", "b": "active"}, "a cannot go on in its swarm, as when its certificate has ended"),
        ({"a": "pending", "b": "inactive"}, "a is still joining, and its manager does not answer"),
        (
            {"a": "locked", "b": "locked"},
            "a is locked: give it the swarm's key there, docker swarm unlock; b is locked",
        ),
    ],
)
def test_without_a_manager_the_nodes_own_states_say_why(states: dict[str, str], says: str) -> None:
    swarm = gather.swarm({name: Host(name) for name in states}, Engines(states))
    assert not swarm.exists
    assert swarm.problem[: len(says)] == says
    assert bool(swarm.problem) is bool(says)
    assert swarm.silent == tuple(name for name, state in states.items() if state == "away")
