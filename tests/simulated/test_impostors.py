"""Attack with a host that lies about its node, its swarm, or itself.

Imker explains each refusal and changes nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from bot.messages.next_command import next_step_text
from imker.protocol.commands import ListHosts, ListNodes, Migrate, MigrateAll, Reject
from imker.protocol.events import DecisionRequested, EventBody, FleetPlanned, HostTable, JobFinished, NodeTable
from lab.simulated import docker_cli, scripts
from lab.simulated.engine_errors import NOT_IN_SWARM, EngineError
from lab.simulated.fleet import Fleet
from lab.simulated.machine import Machine
from tests.simulated.conftest import JobRunner

ATTACKERS_TOKEN = "SWMTKN-1-the-attackers-own-0000000000000000000000000"


@dataclass
class Liar:
    """False answers of the Engine of one host. `nodes`: the node list it returns, None for a worker."""

    says: dict[str, Any]
    nodes: list[dict[str, Any]] | None = None
    cluster: str = "cluster-of-the-attacker"


@dataclass
class Attack:
    """A fleet, the Imker that works on it, and the lying hosts."""

    imker: JobRunner
    liars: dict[str, Liar] = field(default_factory=dict)
    joins: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    before: int = 0  # deeds that were done to prepare it

    @property
    def fleet(self) -> Fleet:
        return self.imker.fleet

    def node(self, name: str) -> str:
        node = self.fleet.world.swarm.node_of(self.fleet[name])
        assert node is not None
        return node.id

    def address(self, name: str) -> str:
        return self.fleet[name].lab_host.address

    def deeds(self, *kinds: str) -> list[tuple[str, str, str]]:
        actions = self.fleet.world.history.actions()[self.before :]
        return [(deed.host, deed.kind, deed.detail) for deed in actions if deed.kind in kinds]

    def says_it_manages(self, name: str, node: str, cluster: str, *others: str) -> None:
        """Let a host claim to be a manager at its own address, with the hosts `others` as they are."""
        swarm = {"NodeID": node, "LocalNodeState": "active", "ControlAvailable": True, "Error": ""}
        listed = [(node, name), *((self.node(other), other) for other in others)]
        nodes = [manager(node_id, host, self.address(host)) for node_id, host in listed]
        self.liars[name] = Liar({**swarm, **({"Cluster": {"ID": cluster}} if cluster else {})}, nodes, cluster)


def manager(node: str, name: str, address: str) -> dict[str, Any]:
    return {
        "ID": node,
        "Version": {"Index": 1},
        "Spec": {"Role": "manager", "Availability": "active", "Labels": {}},
        "Description": {"Hostname": name, "Engine": {"EngineVersion": "26.1.5"}},
        "Status": {"State": "ready", "Addr": address},
        "ManagerStatus": {"Addr": f"{address}:2377", "Reachability": "reachable", "Leader": True},
    }


@pytest.fixture
def attack(other: Callable[..., Fleet], redis: Any, monkeypatch: pytest.MonkeyPatch) -> Attack:
    """Start four hosts, of which those in `liars` give false answers. Port 2377 is open wherever a host lies."""
    new_attack = Attack(JobRunner(other("connewitz", "kaditz", "lausen", "tondi"), redis))
    swarm = new_attack.fleet.world.swarm
    true = {name: getattr(swarm, name) for name in ("local_info", "list_nodes", "inspect", "join", "set_labels")}

    def info(machine: Machine) -> dict[str, Any]:
        liar = new_attack.liars.get(machine.name)
        return {**true["local_info"](machine), **(liar.says if liar else {})}

    def listed(machine: Machine) -> list[dict[str, Any]]:
        liar = new_attack.liars.get(machine.name)
        if liar and liar.nodes is None:
            raise EngineError(503, NOT_IN_SWARM)
        return liar.nodes if liar and liar.nodes else true["list_nodes"](machine)

    def inspect(machine: Machine) -> dict[str, Any]:
        liar = new_attack.liars.get(machine.name)
        if liar is None:
            return true["inspect"](machine)
        spec = {"Name": "default", "Labels": {}, "EncryptionConfig": {"AutoLockManagers": False}}
        return {"ID": liar.cluster, "Version": {"Index": 1}, "Spec": spec, "JoinTokens": {"Worker": ATTACKERS_TOKEN}}

    def join(machine: Machine, body: dict[str, Any]) -> None:
        new_attack.joins.append((machine.name, body))
        true["join"](machine, body)

    def configure(machine: Machine, index: int, labels: dict[str, str]) -> None:
        if machine.name not in new_attack.liars:
            true["set_labels"](machine, index, labels)

    lies = {"local_info": info, "list_nodes": listed, "inspect": inspect, "join": join, "set_labels": configure}
    for name, lie in lies.items():
        monkeypatch.setattr(swarm, name, lie)
    port_state = scripts._port_state
    monkeypatch.setattr(scripts, "_port_state", lambda *about: "taken" if new_attack.liars else port_state(*about))
    return new_attack


def assert_refused(bodies: list[EventBody], *words: str) -> None:
    last = bodies[-1]
    assert isinstance(last, JobFinished), last
    assert last.outcome == "refused", last
    for word in words:
        assert word in next_step_text(f"{last.summary} {last.hint}", last.next_commands), last


def join_swarm(attack: Attack, name: str, role: str = "worker") -> None:
    last = attack.imker.run_job(Migrate(name, role))[-1]  # type: ignore[arg-type]
    assert getattr(last, "outcome", "done") == "done", last
    attack.joins.clear()
    attack.before = len(attack.fleet.world.history.actions())


# --- impostors --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cluster", ["", "theirs"])
def test_refuses_a_host_that_claims_the_node_id_of_a_manager(attack: Attack, cluster: str) -> None:
    join_swarm(attack, "tondi", "manager")
    cluster = attack.fleet.world.swarm.id if cluster else ""
    attack.says_it_manages("connewitz", attack.node("tondi"), cluster)
    assert_refused(attack.imker.run_job(Migrate("lausen", "worker")), "connewitz", "tondi")
    assert attack.joins == []
    assert attack.deeds("join", "containers", "restart", "file") == []


@pytest.mark.parametrize(
    ("true", "liar"), [("tondi", "connewitz"), ("connewitz", "tondi")], ids=["answers first", "answers last"]
)
def test_refuses_an_impostor_next_to_the_real_manager(attack: Attack, true: str, liar: str) -> None:
    join_swarm(attack, true, "manager")
    attack.says_it_manages(liar, "node-of-the-attacker", attack.fleet.world.swarm.id, true)
    assert_refused(
        attack.imker.run_job(Migrate("lausen", "worker")), "connewitz", "tondi", "docker swarm leave --force"
    )
    assert attack.joins == []


def test_workers_contradict_an_impostor_while_the_manager_is_down(attack: Attack) -> None:
    join_swarm(attack, "tondi", "manager")
    join_swarm(attack, "kaditz")
    node = attack.node("tondi")
    attack.fleet["tondi"].dockerd.stop()
    attack.says_it_manages("connewitz", "node-of-the-attacker", "theirs")
    assert_refused(attack.imker.run_job(Migrate("lausen", "worker")), "connewitz", "kaditz", "tondi")
    attack.liars["connewitz"].nodes.append(manager(node, "tondi", attack.address("tondi")))  # type: ignore[union-attr]
    assert_refused(attack.imker.run_job(Migrate("lausen", "worker")), "connewitz", "kaditz", "tondi")
    assert attack.joins == []


@pytest.mark.parametrize("cluster", ["its own", "the true one's"])
def test_refuses_an_impostor_while_the_known_manager_is_down(attack: Attack, cluster: str) -> None:
    join_swarm(attack, "tondi", "manager")
    attack.fleet["tondi"].dockerd.stop()
    cluster = "theirs" if cluster == "its own" else attack.fleet.world.swarm.id
    attack.says_it_manages("connewitz", "node-of-the-attacker", cluster)
    assert_refused(attack.imker.run_job(Migrate("lausen", "worker")), "connewitz", "tondi")
    assert attack.joins == []


def test_does_not_list_the_nodes_of_an_impostor(attack: Attack) -> None:
    join_swarm(attack, "tondi", "manager")
    assert any(isinstance(body, NodeTable) for body in attack.imker.run_job(ListNodes()))
    attack.says_it_manages("connewitz", attack.node("tondi"), "")
    (table,) = [body for body in attack.imker.run_job(ListNodes()) if isinstance(body, NodeTable)]
    assert (table.answered_by, table.stale_reason) == ("tondi", "")
    assert [row.hostname for row in table.rows] == ["tondi"]


# --- whose node is it -------------------------------------------------------------------------------------------------


@pytest.fixture
def victim(attack: Attack) -> Attack:
    """Create a swarm with worker lausen, and let tondi, outside of it, claim the node of lausen."""
    join_swarm(attack, "connewitz", "manager")
    join_swarm(attack, "kaditz")
    join_swarm(attack, "lausen")
    claim = {"NodeID": attack.node("lausen"), "LocalNodeState": "active", "NodeAddr": attack.address("lausen")}
    attack.liars["tondi"] = Liar(claim)
    return attack


@pytest.mark.parametrize("role", ["worker", "manager"])
def test_does_not_change_a_node_that_another_host_claims(victim: Attack, role: Any) -> None:
    assert_refused(victim.imker.run_job(Migrate("tondi", role)), "tondi", "lausen")
    node = victim.fleet.world.swarm.nodes[victim.node("lausen")]
    assert (node.availability, node.labels) == ("active", {})
    assert victim.deeds("node", "promote", "join") == []


@pytest.mark.parametrize("role", ["worker", "manager"])
def test_does_not_change_a_node_claimed_after_the_join(
    attack: Attack, monkeypatch: pytest.MonkeyPatch, role: Any
) -> None:
    join_swarm(attack, "connewitz", "manager")
    join_swarm(attack, "lausen")
    swarm = attack.fleet.world.swarm
    true = swarm.finish_join

    def then_lies(machine: Machine) -> None:
        true(machine)
        if machine.name == "tondi" and swarm.node_of(machine):
            attack.liars["tondi"] = Liar({"NodeID": attack.node("lausen")})

    monkeypatch.setattr(swarm, "finish_join", then_lies)
    for name in ("READY_TIMEOUT", "LEADER_TIMEOUT"):
        monkeypatch.setattr(f"jobs.execute.membership.{name}", 2)
    last = attack.imker.run_job(Migrate("tondi", role))[-1]
    assert isinstance(last, JobFinished)
    assert last.outcome == "failed"
    assert f"node {attack.node('lausen')[:12]} does not belong to tondi" in last.summary
    node = swarm.nodes[attack.node("lausen")]
    assert (node.availability, node.labels) == ("active", {})


def test_does_not_list_a_host_with_the_role_of_a_claimed_node(victim: Attack) -> None:
    (table,) = [body for body in victim.imker.run_job(ListHosts()) if isinstance(body, HostTable)]
    places = {row.name: row.node_role for row in table.rows}
    assert (places["lausen"], places["tondi"]) == ("worker", "active")


def test_removes_a_rejected_node_and_keeps_the_new_node_of_its_host(attack: Attack) -> None:
    join_swarm(attack, "connewitz", "manager")
    waiting = attack.imker.run_job(Migrate("tondi", "manager"))[-1]
    assert isinstance(waiting, DecisionRequested)
    swarm, tondi = attack.fleet.world.swarm, attack.fleet["tondi"]
    old = swarm.nodes[attack.node("tondi")]
    old.machine = None
    new = swarm._add_node(tondi, "tondi", attack.address("tondi"), tondi.dockerd.version)
    assert attack.imker.run_job(Reject(old.id, remove=True))[-1].outcome == "done"
    assert old.id not in swarm.nodes
    assert swarm.node_of(tondi) is new


def test_refuses_a_copied_disk_and_names_both_hosts(victim: Attack, monkeypatch: pytest.MonkeyPatch) -> None:
    """The copy has the same Engine ID and machine ID. Other hosts are not affected."""
    monkeypatch.setattr(docker_cli, "engine_info", _with_id_of("lausen", "tondi", docker_cli.engine_info))
    for name in ("tondi", "lausen"):
        assert_refused(victim.imker.run_job(Migrate(name, "worker")), "tondi", "lausen")
    assert victim.imker.run_job(Migrate("kaditz", "worker"))[-1].outcome == "unchanged"
    assert victim.deeds("node", "promote", "join") == []


def test_refuses_hosts_with_the_same_engine_id_before_they_join(
    attack: Attack, monkeypatch: pytest.MonkeyPatch
) -> None:
    join_swarm(attack, "connewitz", "manager")
    monkeypatch.setattr(docker_cli, "engine_info", _with_id_of("lausen", "tondi", docker_cli.engine_info))
    assert_refused(attack.imker.run_job(Migrate("tondi", "worker")), "tondi", "lausen", "Engine ID")
    assert_refused(attack.imker.run_job(MigrateAll(())), "tondi", "lausen")
    assert attack.joins == []


def test_fleet_plan_refuses_hosts_with_the_same_machine_id(attack: Attack) -> None:
    attack.fleet["tondi"].machine_id = attack.fleet["lausen"].machine_id
    bodies = attack.imker.run_job(MigrateAll(()))
    assert_refused(bodies)
    (plan,) = [body for body in bodies if isinstance(body, FleetPlanned)]
    (finding,) = [finding for finding in plan.findings if finding.level == "block"]
    assert finding.check == "machine ID"
    assert finding.text == "lausen, tondi have the same machine ID: they are copies of one disk"


About = Callable[[Machine], dict[str, Any]]


def _with_id_of(source: str, copy: str, about: About) -> About:
    return lambda machine: {**about(machine), **({"ID": source} if machine.name == copy else {})}


# --- a host whose swarm traffic uses another interface ----------------------------------------------------------------


@pytest.fixture
def two_interfaces(attack: Attack) -> Attack:
    """Join connewitz and lausen manually, over an interface that is missing in the inventory."""
    for name in ("connewitz", "lausen"):
        join_swarm(attack, name, "manager" if name == "connewitz" else "worker")
    for name in ("connewitz", "lausen"):
        swarm_node = attack.fleet.world.swarm.node_of(attack.fleet[name])
        assert swarm_node is not None
        swarm_node.address = attack.fleet[name].second = second(attack, name)
    return attack


def second(attack: Attack, name: str) -> str:
    return attack.address(name).replace(".0.", ".1.", 1)


def named(attack: Attack, name: str) -> None:
    path = attack.fleet.folder / "imker.toml"
    line = f'[hosts.{name}]\nswarm_address = "{second(attack, name)}"\n'
    path.write_text(path.read_text().replace(f"[hosts.{name}]\n", line))


def test_refuses_a_node_on_another_interface_with_the_line_to_add(two_interfaces: Attack) -> None:
    for name in ("connewitz", "lausen"):
        line = f'[hosts.{name}] swarm_address = "{second(two_interfaces, name)}"'
        assert_refused(two_interfaces.imker.run_job(Migrate("lausen", "worker")), line)
        named(two_interfaces, name)
    assert two_interfaces.imker.run_job(Migrate("lausen", "worker"))[-1].outcome == "unchanged"


def test_joins_with_the_swarm_addresses_of_host_and_manager(two_interfaces: Attack) -> None:
    for name in ("connewitz", "lausen", "tondi"):
        named(two_interfaces, name)
    two_interfaces.fleet["tondi"].second = second(two_interfaces, "tondi")
    assert two_interfaces.imker.run_job(Migrate("tondi", "worker"))[-1].outcome == "done"
    ((_, body),) = two_interfaces.joins
    assert body["AdvertiseAddr"] == second(two_interfaces, "tondi")
    assert body["RemoteAddrs"] == [f"{second(two_interfaces, 'connewitz')}:2377"]


def test_initializes_a_swarm_on_the_swarm_address(attack: Attack) -> None:
    named(attack, "connewitz")
    attack.fleet["connewitz"].second = second(attack, "connewitz")
    assert attack.imker.run_job(Migrate("connewitz", "manager"))[-1].outcome == "done"
    node = attack.fleet.world.swarm.node_of(attack.fleet["connewitz"])
    assert node is not None
    assert node.address == second(attack, "connewitz")
