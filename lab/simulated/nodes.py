"""The nodes of a simulated swarm: who manages, who answers, whether they are enough; and how a manager shows one."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lab.simulated.dialect import accepts_membership
from lab.simulated.refusals import Refused

if TYPE_CHECKING:
    from lab.simulated.machine import Machine


@dataclass
class Node:
    """`machine`: None for a ghost: its host has left, and no manager was told. `locked`: it waits for the key."""

    id: str
    hostname: str
    address: str
    engine: str
    machine: "Machine | None"
    role: str = "worker"
    availability: str = "active"
    membership: str = "accepted"
    labels: dict[str, str] = field(default_factory=dict)
    index: int = 1
    locked: bool = False

    @property
    def manages(self) -> bool:
        return self.role == "manager" and self.membership == "accepted"

    @property
    def answers(self) -> bool:
        host = self.machine
        return bool(host and host.up and host.dockerd.version and not host.silent.is_set()) and not self.locked


class Nodes(dict[str, Node]):
    """By ID."""

    def of(self, machine: "Machine") -> Node | None:
        return next((node for node in self.values() if node.machine is machine), None)

    def found(self, key: str) -> Node:
        """By the beginning of its ID. Raises Refused."""
        found = [node for node in self.values() if node.id.startswith(key)]
        if len(found) != 1:
            raise Refused(404, f"node {key} not found")
        return found[0]

    def managers(self) -> list[Node]:
        return [node for node in self.values() if node.manages]

    def quorum(self) -> bool:
        managers = self.managers()
        return sum(node.answers for node in managers) >= len(managers) // 2 + 1

    def at(self, addresses: Iterable[str]) -> Node | None:
        """The first manager that answers at one of these, each with its port."""
        hosts = [address.rpartition(":")[0] for address in addresses]
        return next((node for host in hosts for node in self.managers() if node.address == host and node.answers), None)


def shown(node: Node, leads: bool) -> dict[str, Any]:
    """As the Engine API gives it."""
    spec: dict[str, Any] = {"Role": node.role, "Availability": node.availability, "Labels": dict(node.labels)}
    manager: dict[str, Any] = {}
    if accepts_membership(node.engine):
        spec["Membership"] = node.membership
    if node.manages:
        reachability = "reachable" if node.answers else "unreachable"
        manager = {"Addr": f"{node.address}:2377", "Reachability": reachability, **({"Leader": True} if leads else {})}
    return {
        "ID": node.id,
        "Version": {"Index": node.index},
        "Spec": spec,
        "Description": {"Hostname": node.hostname, "Engine": {"EngineVersion": node.engine}},
        "Status": {"State": "ready" if node.answers else "down", "Addr": node.address},
        **({"ManagerStatus": manager} if manager else {}),
    }
