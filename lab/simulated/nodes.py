"""Nodes of a simulated swarm: managers, reachability, quorum, and their form in the Engine API."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from lab.simulated.engine_errors import EngineError
from lab.simulated.engine_versions import accepts_membership

NANO_CPUS, MEMORY = 2 * 10**9, 4 * 2**30  # of every simulated host
PLATFORM = {"Architecture": "x86_64", "OS": "linux"}


class SwarmMember(Protocol):
    """A host as the swarm sees it."""

    @property
    def name(self) -> str: ...
    @property
    def address(self) -> str: ...
    @property
    def engine_version(self) -> str: ...  # "" while the Engine is down
    @property
    def is_responding(self) -> bool: ...
    @property
    def images(self) -> Collection[str]: ...
    @property
    def swarm_conflict(self) -> str: ...  # why the running Engine's options rule out swarm mode, "" if they do not


@dataclass
class Node:
    """A node.

    `machine` is None for a stale node, whose host left without notice. A locked node waits for the unlock key.
    """

    id: str
    hostname: str
    address: str
    engine_version: str
    machine: SwarmMember | None
    role: str = "worker"
    availability: str = "active"
    membership: str = "accepted"
    labels: dict[str, str] = field(default_factory=dict)
    version_index: int = 1
    is_locked: bool = False

    @property
    def is_manager(self) -> bool:
        return self.role == "manager" and self.membership == "accepted"

    @property
    def is_reachable(self) -> bool:
        return self.machine is not None and self.machine.is_responding and not self.is_locked


class Nodes(dict[str, Node]):
    """Nodes by ID."""

    def of_machine(self, machine: SwarmMember) -> Node | None:
        return next((node for node in self.values() if node.machine is machine), None)

    def find(self, key: str) -> Node:
        """Return the node whose ID starts with `key`. Raises EngineError if there is not exactly one."""
        matches = [node for node in self.values() if node.id.startswith(key)]
        if len(matches) != 1:
            raise EngineError(404, f"node {key} not found")
        return matches[0]

    def managers(self) -> list[Node]:
        return [node for node in self.values() if node.is_manager]

    def has_quorum(self) -> bool:
        managers = self.managers()
        return sum(node.is_reachable for node in managers) >= len(managers) // 2 + 1

    def elect(self, last: str) -> str:
        """Return the ID of the last leader while it can lead, else of the first manager that can. "" without quorum."""
        able = [node.id for node in self.managers() if node.is_reachable]
        return (last if last in able else able[0]) if self.has_quorum() else ""

    def manager_at(self, addresses: Iterable[str]) -> Node | None:
        """Return the first reachable manager at one of these "address:port"."""
        hosts = [address.rpartition(":")[0] for address in addresses]
        return next(
            (node for host in hosts for node in self.managers() if node.address == host and node.is_reachable), None
        )


def node_to_api(node: Node, is_leader: bool) -> dict[str, Any]:
    """Return the node as the Engine API shows it."""
    spec: dict[str, Any] = {"Role": node.role, "Availability": node.availability, "Labels": dict(node.labels)}
    manager: dict[str, Any] = {}
    if accepts_membership(node.engine_version):
        spec["Membership"] = node.membership
    if node.is_manager:
        reachability = "reachable" if node.is_reachable else "unreachable"
        manager = {
            "Addr": f"{node.address}:2377",
            "Reachability": reachability,
            **({"Leader": True} if is_leader else {}),
        }
    return {
        "ID": node.id,
        "Version": {"Index": node.version_index},
        "Spec": spec,
        "Description": {
            "Hostname": node.hostname,
            "Platform": PLATFORM,
            "Resources": {"NanoCPUs": NANO_CPUS, "MemoryBytes": MEMORY},
            "Engine": {"EngineVersion": node.engine_version},
        },
        "Status": {"State": "ready" if node.is_reachable else "down", "Addr": node.address},
        **({"ManagerStatus": manager} if manager else {}),
    }


def local_info(machine: SwarmMember, nodes: Nodes, swarm_id: str, is_joining: bool) -> dict[str, Any]:
    """Return what a host's Engine reports of its membership."""
    node = nodes.of_machine(machine)
    if node and node.is_locked:
        return {"NodeID": "", "LocalNodeState": "locked", "ControlAvailable": False, "Error": ""}
    if node is None:
        state = "pending" if is_joining else "inactive"
        return {"NodeID": "", "NodeAddr": "", "LocalNodeState": state, "ControlAvailable": False, "Error": ""}
    cluster = {"Cluster": {"ID": swarm_id}, "Nodes": len(nodes), "Managers": len(nodes.managers())}
    return {
        "NodeID": node.id,
        "NodeAddr": node.address,
        "LocalNodeState": "active" if node.membership == "accepted" else "pending",
        "ControlAvailable": node.is_manager,
        "Error": "",
        "RemoteManagers": [{"NodeID": manager.id, "Addr": f"{manager.address}:2377"} for manager in nodes.managers()],
        **(cluster if node.is_manager and nodes.has_quorum() else {}),
    }
