"""The swarm that simulated hosts share: nodes, roles, quorum, tokens; and what an Engine says when it refuses.

In: a Machine and what its Engine was asked. Out: values as the Engine API gives them, or Refused.
"""

import itertools
import secrets
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lab.simulated.dialect import accepts_membership
from lab.simulated.refusals import ALREADY, LEADERLESS, LEAVING, LOCKED, OUTSIDE, WORKER, Refused

if TYPE_CHECKING:
    from lab.simulated.machine import Machine


@dataclass
class Node:
    """`machine` is None for a ghost: its host has left, and no manager was told."""

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


class Swarm:
    """One for all hosts of a world; it begins with `init`."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.id = ""
        self.nodes: dict[str, Node] = {}
        self.autolock = False
        self.locked: set[str] = set()  # names of hosts whose manager waits for the key
        self.joining: set[str] = set()
        self.tokens: dict[str, str] = {}
        self._leader = ""
        self.labels: dict[str, str] = {}
        self.index = 10
        self._indices = itertools.count(11)

    # --- what is true ---

    def node_of(self, machine: "Machine") -> Node | None:
        with self.lock:
            return next((node for node in self.nodes.values() if node.machine is machine), None)

    def managers(self) -> list[Node]:
        return [node for node in self.nodes.values() if node.role == "manager" and node.membership == "accepted"]

    def reachable(self, node: Node) -> bool:
        machine = node.machine
        return bool(machine and machine.up and machine.dockerd.version and machine.name not in self.locked) and not (
            machine and machine.silent.is_set()
        )

    def quorum(self) -> bool:
        managers = self.managers()
        return sum(map(self.reachable, managers)) >= len(managers) // 2 + 1

    def leader(self) -> str:
        """A node's ID, "" without quorum; the next manager when the last leader is away."""
        if not self.quorum():
            return ""
        if self._leader not in self.nodes or not self.reachable(self.nodes[self._leader]):
            self._leader = next(node.id for node in self.managers() if self.reachable(node))
        return self._leader

    def came_back(self, machine: "Machine") -> None:
        """A daemon has started: with autolock, a manager waits for the key."""
        with self.lock:
            node = self.node_of(machine)
            if node is None:
                return
            node.engine = machine.dockerd.version
            if self.autolock and node.role == "manager":
                self.locked.add(machine.name)

    def ghost(self, machine: "Machine") -> None:
        """A fault: what remains when a host left by force and joined again."""
        with self.lock:
            self._add(None, machine.name, machine.about.address, machine.dockerd.version)

    # --- what is asked ---

    def info(self, machine: "Machine") -> dict[str, Any]:
        with self.lock:
            node = self.node_of(machine)
            if machine.name in self.locked:
                return {"NodeID": "", "LocalNodeState": "locked", "ControlAvailable": False, "Error": ""}
            if node is None:
                state = "pending" if machine.name in self.joining else "inactive"
                return {"NodeID": "", "NodeAddr": "", "LocalNodeState": state, "ControlAvailable": False, "Error": ""}
            control = node.role == "manager" and node.membership == "accepted"
            cluster = {"Cluster": {"ID": self.id}, "Nodes": len(self.nodes), "Managers": len(self.managers())}
            return {
                "NodeID": node.id,
                "NodeAddr": node.address,
                "LocalNodeState": "active" if node.membership == "accepted" else "pending",
                "ControlAvailable": control,
                "Error": "",
                **(cluster if control and self.quorum() else {}),
            }

    def inspect(self, machine: "Machine") -> dict[str, Any]:
        with self.lock:
            self._manager(machine)
            spec = {
                "Name": "default",
                "Labels": dict(self.labels),
                "EncryptionConfig": {"AutoLockManagers": self.autolock},
            }
            tokens = {} if accepts_membership(machine.dockerd.version) else {"JoinTokens": dict(self.tokens)}
            return {"ID": self.id, "Version": {"Index": self.index}, "Spec": spec, **tokens}

    def list(self, machine: "Machine") -> "list[dict[str, Any]]":
        with self.lock:
            self._manager(machine)
            return [self._shown(node) for node in self.nodes.values()]

    def show(self, machine: "Machine", key: str) -> dict[str, Any]:
        with self.lock:
            self._manager(machine)
            return self._shown(self._found(key))

    # --- what is changed ---

    def init(self, machine: "Machine") -> str:
        with self.lock:
            self._outside(machine)
            self.id, self.nodes, self.labels = secrets.token_hex(12), {}, {}
            self.tokens = {
                role: f"SWMTKN-1-{secrets.token_hex(25)}-{secrets.token_hex(12)}" for role in ("Worker", "Manager")
            }
            node = self._add(machine, machine.name, machine.about.address, machine.dockerd.version)
            node.role = "manager"
            return node.id

    def join(self, machine: "Machine", body: dict[str, Any]) -> None:
        """Raises Refused before anything has changed; the rest is `joined`."""
        with self.lock:
            self._outside(machine)
            if machine.name in self.joining:
                raise Refused(503, ALREADY)
            self._remote(body.get("RemoteAddrs") or [])
            if not accepts_membership(machine.dockerd.version):
                self._role(body.get("JoinToken", ""))
            self.joining.add(machine.name)

    def joined(self, machine: "Machine", body: dict[str, Any]) -> None:
        with self.lock:
            self.joining.discard(machine.name)
            if not machine.dockerd.version:
                return
            address = str(body.get("AdvertiseAddr") or machine.about.address)
            node = self._add(machine, machine.name, address, machine.dockerd.version)
            node.availability = str(body.get("Availability") or "active")
            if accepts_membership(machine.dockerd.version):
                node.role = "manager" if body.get("Manager") else "worker"
                node.membership = "pending" if body.get("Manager") else "accepted"
            else:
                node.role = self._role(body.get("JoinToken", ""))

    def leave(self, machine: "Machine", force: bool) -> None:
        with self.lock:
            node = self.node_of(machine)
            if node is None:
                raise Refused(503, "This node is not part of a swarm")
            if node.role == "manager" and not force:
                raise Refused(503, LEAVING + "Use `--force` to ignore this message.")
            node.machine = None
            self.locked.discard(machine.name)

    def update(self, machine: "Machine", key: str, index: int, spec: dict[str, Any]) -> tuple[Node, str]:
        """The node, and the role it had. Demotion takes its place at once; on real managers it takes a while."""
        with self.lock:
            self._manager(machine)
            node = self._found(key)
            if index != node.index:
                raise Refused(500, "rpc error: code = Unknown desc = update out of sequence")
            was = node.role
            if was == "manager" and spec["Role"] == "worker" and len(self.managers()) == 1:
                raise Refused(412, "rpc error: code = FailedPrecondition desc = attempting to demote the last manager")
            node.role, node.availability = spec["Role"], spec["Availability"]
            node.labels = dict(spec.get("Labels") or {})
            node.membership = spec.get("Membership") or "accepted"
            node.index = next(self._indices)
            return node, was

    def remove(self, machine: "Machine", key: str, force: bool) -> None:
        with self.lock:
            self._manager(machine)
            node = self._found(key)
            if node.role == "manager":
                why = "is a cluster manager and is a member of the raft cluster. It must be demoted to worker"
                raise Refused(400, f"rpc error: code = FailedPrecondition desc = node {node.id} {why} before removal")
            if self.reachable(node) and not force:
                why = f"node {node.id} is not down and can't be removed"
                raise Refused(400, f"rpc error: code = FailedPrecondition desc = {why}")
            del self.nodes[node.id]

    def configure(self, machine: "Machine", index: int, labels: dict[str, str]) -> None:
        """The swarm's own labels."""
        with self.lock:
            self._manager(machine)
            if index != self.index:
                raise Refused(500, "rpc error: code = Unknown desc = update out of sequence")
            self.labels, self.index = labels, next(self._indices)

    def unlock(self, machine: "Machine") -> None:
        with self.lock:
            self.locked.discard(machine.name)

    # --- ---

    def _add(self, machine: "Machine | None", hostname: str, address: str, engine: str) -> Node:
        node = Node(secrets.token_hex(13)[:25], hostname, address, engine, machine, index=next(self._indices))
        self.nodes[node.id] = node
        return node

    def _outside(self, machine: "Machine") -> None:
        if self.node_of(machine) is not None or machine.name in self.locked:
            raise Refused(503, ALREADY)
        what = "--cluster-store and --cluster-advertise" if machine.dockerd.cluster else "--live-restore"
        if machine.dockerd.cluster or machine.dockerd.live_restore:
            verb = "configurations are" if machine.dockerd.cluster else "configuration is"
            raise Refused(500, f"{what} daemon {verb} incompatible with swarm mode")

    def _manager(self, machine: "Machine") -> None:
        if machine.name in self.locked:
            raise Refused(503, LOCKED)
        node = self.node_of(machine)
        if node is None:
            raise Refused(503, OUTSIDE)
        if node.role != "manager" or node.membership != "accepted":
            raise Refused(503, WORKER)
        if not self.quorum():
            raise Refused(500, LEADERLESS)

    def _found(self, key: str) -> Node:
        found = [node for node in self.nodes.values() if node.id.startswith(key)]
        if len(found) != 1:
            raise Refused(404, f"node {key} not found")
        return found[0]

    def _remote(self, addresses: Iterable[str]) -> None:
        for address in addresses:
            ip = address.rpartition(":")[0]
            for node in self.managers():
                if node.address == ip and self.reachable(node):
                    if not self.quorum():
                        raise Refused(500, LEADERLESS)
                    return
        raise Refused(
            500, 'rpc error: code = Unavailable desc = connection error: desc = "connect: connection refused"'
        )

    def _role(self, token: str) -> str:
        for role, known in self.tokens.items():
            if token == known:
                return role.lower()
        raise Refused(
            400, "rpc error: code = InvalidArgument desc = A valid join token is necessary to join this cluster"
        )

    def _shown(self, node: Node) -> dict[str, Any]:
        spec: dict[str, Any] = {"Role": node.role, "Availability": node.availability, "Labels": dict(node.labels)}
        manager = {}
        if accepts_membership(node.engine):
            spec["Membership"] = node.membership
        if node.role == "manager" and node.membership == "accepted":
            reachable = self.reachable(node)
            manager = {"Addr": f"{node.address}:2377", "Reachability": "reachable" if reachable else "unreachable"}
            manager |= {"Leader": True} if node.id == self.leader() else {}  # type: ignore[dict-item]
        return {
            "ID": node.id,
            "Version": {"Index": node.index},
            "Spec": spec,
            "Description": {"Hostname": node.hostname, "Engine": {"EngineVersion": node.engine}},
            "Status": {"State": "ready" if self.reachable(node) else "down", "Addr": node.address},
            **({"ManagerStatus": manager} if manager else {}),
        }
