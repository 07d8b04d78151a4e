"""Test that an unclear swarm is never joined or replaced: without a manager, with impostors, malformed answers."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from jobs import plan
from jobs.connectors import engine
from jobs.errors import EngineRefused, Unreachable
from jobs.facts.host import HostFacts
from jobs.facts.swarm import SwarmFacts
from jobs.gather.swarm import gather_swarm
from jobs.inventory.model import Host
from jobs.plan.membership import plan_membership


class Engines:
    """Engines without a manager. `states`: host -> LocalNodeState, "unreachable" for an unreachable host."""

    def __init__(self, states: dict[str, str]) -> None:
        self.states = states

    def __call__(self, host: Host, timeout: float = 10) -> Any:
        if self.states[host.name] == "unreachable":
            raise Unreachable(f"{host.name} is unreachable")
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
        ({"a": "unreachable", "b": "inactive"}, ""),
        ({"a": "active", "b": "inactive"}, "only workers are reachable, and only managers can show or change"),
        ({"a": "locked", "b": "inactive"}, "a is locked: run `docker swarm unlock` there, with the unlock key"),
        ({"a": "error", "b": "active"}, "a cannot rejoin its swarm"),
        ({"a": "pending", "b": "inactive"}, "a is still joining, and its manager is unreachable"),
        (
            {"a": "locked", "b": "locked"},
            "a is locked: run `docker swarm unlock` there, with the unlock key; b is locked",
        ),
    ],
)
def test_explains_from_the_node_states_why_there_is_no_manager(states: dict[str, str], says: str) -> None:
    swarm = gather_swarm({name: Host(name) for name in states}, Engines(states))
    assert not swarm.exists
    assert swarm.problem[: len(says)] == says
    assert bool(swarm.problem) is bool(says)
    assert swarm.unreachable == tuple(name for name, state in states.items() if state == "unreachable")


@dataclass
class Manager:
    """A host that claims to manage swarm `cluster` together with `knows`. None: it returns no nodes."""

    name: str
    cluster: str
    knows: str | None

    def info(self) -> dict[str, Any]:
        swarm = {"LocalNodeState": "active", "NodeID": self.name, "ControlAvailable": True}
        return {"Swarm": {**swarm, "Cluster": {"ID": self.cluster}}}

    def nodes(self) -> list[dict[str, Any]]:
        if self.knows is None:
            raise EngineRefused("The swarm does not have a leader")
        return [
            {"ID": name, "Spec": {"Role": "manager"}, "Status": {"Addr": ADDRESSES[name]}}
            for name in self.knows.split()
        ]

    def autolock(self) -> bool:
        return False


NAMES = ("alpha", "connewitz", "lausen", "tondi", "zeta")
ADDRESSES = {name: f"198.18.0.{number}" for number, name in enumerate(NAMES, 1)}
ONE = {"connewitz": ("ours", "connewitz tondi"), "tondi": ("ours", "connewitz tondi")}
ROGUES: dict[str, tuple[str, str | None]] = {
    "a swarm of its own": ("its own", "alpha"),
    "a swarm of its own without a leader": ("its own", None),
    "our swarm's ID, and its own nodes": ("ours", "alpha"),
    "our swarm's ID, and all our nodes": ("ours", "alpha connewitz tondi"),
    "no ID": ("", "alpha connewitz tondi"),
}


def gather_from(managers: dict[str, tuple[str, str | None]]) -> SwarmFacts:
    def connect(host: Host, timeout: float = 10) -> Any:
        return Manager(host.name, *managers[host.name])

    return gather_swarm({name: Host(name, ADDRESSES[name]) for name in managers}, connect)


@pytest.mark.parametrize("rogue", ROGUES.values(), ids=ROGUES)
@pytest.mark.parametrize("name", ["alpha", "zeta"])
def test_does_not_trust_a_single_host_that_claims_to_be_a_manager(name: str, rogue: tuple[str, str | None]) -> None:
    cluster, knows = rogue
    swarm = gather_from(
        {**ONE, name: (cluster, knows and knows.replace("alpha", name))} if name > "c" else {name: rogue, **ONE}
    )
    assert swarm.problem.startswith("two swarms: " if cluster or not knows else "a swarm without a cluster ID")
    assert (name in swarm.problem, "docker swarm leave --force" in swarm.problem) == (True, True)
    assert (swarm.exists, swarm.answered_by, swarm.managers) == (False, "", ())
    refusals = [
        *(plan_membership(Host("kaditz"), HostFacts("kaditz"), swarm, role) for role in ("manager", "worker")),
        plan.plan_acceptance(swarm, "j8xsy2yb"),
        plan.plan_rejection(swarm, "j8xsy2yb", remove=True),
    ]
    assert all(isinstance(refusal, plan.Refusal) and swarm.problem in refusal.summary for refusal in refusals)


@pytest.mark.parametrize(
    ("managers", "manages"),
    [
        (ONE, ("connewitz", "tondi")),
        ({**ONE, "connewitz": ("", None)}, ("tondi", "connewitz")),  # without a leader it lists no nodes
        ({"connewitz": ("ours", "connewitz lausen"), "lausen": ("", None)}, ("connewitz", "lausen")),
    ],
)
def test_trusts_managers_that_agree(managers: dict[str, tuple[str, str | None]], manages: tuple[str, ...]) -> None:
    swarm = gather_from(managers)
    assert (swarm.problem, swarm.answered_by, swarm.managers) == ("", manages[0], manages)


def test_reads_the_cluster_id_after_the_nodes() -> None:
    class Late(Manager):
        def nodes(self) -> list[dict[str, Any]]:
            self.cluster = "ours"
            return super().nodes()

    late: Any = Late("tondi", "", "tondi")
    swarm = gather_swarm({"tondi": Host("tondi", ADDRESSES["tondi"])}, lambda host, timeout=10: late)
    assert (swarm.problem, swarm.cluster_id) == ("", "ours")


VERSION = {"Version": "26.1.5", "ApiVersion": "1.45"}
ODD: list[tuple[str, Any]] = [
    ("version", {}), ("version", None), ("version", []), ("version", "26"), ("version", {**VERSION, "Version": None}),
    ("version", {**VERSION, "Version": 26}), ("version", {"Version": "26.1.5"}),
    ("info", None), ("info", []), ("info", "x"), ("info", {"Swarm": "x"}), ("info", {"Swarm": [1]}),
    ("info", {"Swarm": {"Cluster": "x"}}), ("info", {"Swarm": {"Cluster": [1]}}),
    ("nodes", None), ("nodes", {"a": 1}), ("nodes", "x"), ("nodes", [{}]), ("nodes", [None]),
    ("nodes", [{"ID": "a", "Spec": "x"}]), ("nodes", [{"ID": "a", "Status": [1]}]),
    ("info", {"Swarm": {"RemoteManagers": "x"}}), ("info", {"Swarm": {"RemoteManagers": [1]}}),
    ("nodes", [{"ID": "a", "ManagerStatus": "x"}]),
    ("inspect_swarm", None), ("inspect_swarm", {}), ("inspect_swarm", {"Spec": "x"}),
]  # fmt: skip


class Api:
    """The SDK's client, which returns any JSON that a host sends. Both hosts of the swarm are managers."""

    def __init__(self, name: str, call: str = "", answer: Any = None) -> None:
        inside = {"LocalNodeState": "active", "NodeID": name, "ControlAvailable": True, "Cluster": {"ID": "ours"}}
        nodes = [
            {"ID": node_id, "Spec": {"Role": "manager"}, "Status": {"Addr": node_id}} for node_id in ("odd", "tondi")
        ]
        self.answers = {"version": VERSION, "info": {"Swarm": inside}, "nodes": nodes, "inspect_swarm": {"Spec": {}}}
        self.answers |= {call: answer} if call else {}

    def version(self, api_version: bool) -> Any:
        return self.answers["version"]

    def __getattr__(self, call: str) -> Any:
        return lambda: self.answers[call]


def query_everything(connected: engine.Engine) -> tuple[Any, ...]:
    return connected.info(), connected.nodes(), connected.autolock()


@pytest.mark.parametrize(("call", "answer"), ODD, ids=str)
def test_a_malformed_answer_affects_only_its_own_host(monkeypatch: pytest.MonkeyPatch, call: str, answer: Any) -> None:
    hosts = {name: Host(name, name, tls=Path()) for name in ("odd", "tondi")}
    apis = {"odd": Api("odd", call, answer), "tondi": Api("tondi")}
    monkeypatch.setattr(engine, "open_client", lambda host, *_: apis[host.name])
    swarm = gather_swarm(hosts, engine.Engine)
    assert (swarm.answered_by, swarm.problem) == ("tondi", "")
    with pytest.raises(EngineRefused, match="odd sent an invalid response"):
        query_everything(engine.Engine(hosts["odd"]))


def test_replaces_a_lone_surrogate_with_a_question_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    api = Api("odd", "version", {**VERSION, "Version": "\ud800"})
    monkeypatch.setattr(engine, "open_client", lambda host, *_: api)
    assert engine.Engine(Host("odd", "odd", tls=Path())).version["Version"] == "?"
