"""The swarm that simulated hosts share: what may be asked of it and changed; what an Engine says when it refuses.

In: a Machine and what its Engine was asked. Out: values as the Engine API gives them, or Refused.
"""

import itertools
import secrets
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from lab.simulated import tokens
from lab.simulated.dialect import accepts_membership
from lab.simulated.nodes import Node, Nodes, shown
from lab.simulated.refusals import ALREADY, LEADERLESS, LEAVING, LOCKED, OUTSIDE, UNREACHED, WORKER, Refused

if TYPE_CHECKING:
    from lab.simulated.machine import Machine


class Swarm:
    """One for all hosts of a world; it begins with `init`."""

    def __init__(self) -> None:
        self.mutex = threading.RLock()
        self.id = ""
        self.nodes = Nodes()
        self.autolock = False  # a manager that comes back waits for the key
        self.joining: dict[str, dict[str, Any]] = {}  # by host, what it was told to join with
        self.tokens: dict[str, str] = {}
        self._leader = ""
        self.labels: dict[str, str] = {}
        self.index = 10
        self._indices = itertools.count(11)

    # --- what is true, and what becomes true by itself ---

    def node_of(self, machine: "Machine") -> Node | None:
        with self.mutex:
            return self.nodes.of(machine)

    def leader(self) -> str:
        """A node's ID, "" without quorum; the next manager when the last leader is away."""
        if not self.nodes.quorum():
            return ""
        if self._leader not in self.nodes or not self.nodes[self._leader].answers:
            self._leader = next(node.id for node in self.nodes.managers() if node.answers)
        return self._leader

    def came_back(self, machine: "Machine") -> None:
        """A daemon has started: with autolock, a manager waits for the key."""
        with self.mutex:
            node = self.nodes.of(machine)
            if node is not None:
                node.engine = machine.dockerd.version
                node.locked = self.autolock and node.role == "manager"
            self.joined(machine)

    def ghost(self, machine: "Machine") -> None:
        """A fault: what remains when a host left by force and joined again."""
        with self.mutex:
            self._add(None, machine.name, machine.about.address, machine.dockerd.version)

    def drain(self, machine: "Machine") -> bool:
        """By somebody else, at a manager's own prompt; whether there was a node to drain."""
        with self.mutex:
            node = self.nodes.of(machine)
            if node is None or node.availability == "drain":
                return False
            node.availability, node.index = "drain", next(self._indices)
            return True

    def lock(self, machine: "Machine") -> bool:
        """A fault: its manager came back without its key; whether there is one here to be locked."""
        with self.mutex:
            node = self.nodes.of(machine)
            if node is None or not node.manages or node.locked:
                return False
            node.locked = True
            return True

    # --- what is asked ---

    def info(self, machine: "Machine") -> dict[str, Any]:
        with self.mutex:
            node = self.nodes.of(machine)
            if node and node.locked:
                return {"NodeID": "", "LocalNodeState": "locked", "ControlAvailable": False, "Error": ""}
            if node is None:
                state = "pending" if machine.name in self.joining else "inactive"
                return {"NodeID": "", "NodeAddr": "", "LocalNodeState": state, "ControlAvailable": False, "Error": ""}
            cluster = {"Cluster": {"ID": self.id}, "Nodes": len(self.nodes), "Managers": len(self.nodes.managers())}
            return {
                "NodeID": node.id,
                "NodeAddr": node.address,
                "LocalNodeState": "active" if node.membership == "accepted" else "pending",
                "ControlAvailable": node.manages,
                "Error": "",
                "RemoteManagers": [{"NodeID": one.id, "Addr": f"{one.address}:2377"} for one in self.nodes.managers()],
                **(cluster if node.manages and self.nodes.quorum() else {}),
            }

    def inspect(self, machine: "Machine") -> dict[str, Any]:
        with self.mutex:
            self._manager(machine)
            spec = {
                "Name": "default",
                "Labels": dict(self.labels),
                "EncryptionConfig": {"AutoLockManagers": self.autolock},
            }
            joins = {} if accepts_membership(machine.dockerd.version) else {"JoinTokens": dict(self.tokens)}
            return {"ID": self.id, "Version": {"Index": self.index}, "Spec": spec, **joins}

    def list(self, machine: "Machine") -> "list[dict[str, Any]]":
        with self.mutex:
            self._manager(machine)
            return [shown(node, node.id == self.leader()) for node in self.nodes.values()]

    def show(self, machine: "Machine", key: str) -> dict[str, Any]:
        with self.mutex:
            self._manager(machine)
            node = self.nodes.found(key)
            return shown(node, node.id == self.leader())

    # --- what is changed ---

    def init(self, machine: "Machine", advertise: str = "") -> str:
        with self.mutex:
            self._outside(machine)
            self.id, self.nodes, self.labels = secrets.token_hex(12), Nodes(), {}
            self.tokens = tokens.made()
            node = self._add(machine, machine.name, advertise or machine.about.address, machine.dockerd.version)
            node.role = "manager"
            return node.id

    def join(self, machine: "Machine", body: dict[str, Any]) -> None:
        """Raises Refused before anything has changed; the rest is `joined`."""
        with self.mutex:
            self._outside(machine)
            if machine.name in self.joining:
                raise Refused(503, ALREADY)
            self._remote(body.get("RemoteAddrs") or [])
            if not accepts_membership(machine.dockerd.version):
                tokens.role_of(self.tokens, body.get("JoinToken", ""))
            self.joining[machine.name] = body

    def joined(self, machine: "Machine") -> None:
        """A daemon that is down goes on with its join when it is back."""
        with self.mutex:
            body = self.joining.pop(machine.name, None) if machine.dockerd.version else None
            if body is None:
                return
            address = str(body.get("AdvertiseAddr") or machine.about.address)
            node = self._add(machine, machine.name, address, machine.dockerd.version)
            node.availability = str(body.get("Availability") or "active")
            if accepts_membership(machine.dockerd.version):
                node.role = "manager" if body.get("Manager") else "worker"
                node.membership = "pending" if body.get("Manager") else "accepted"
            else:
                node.role = tokens.role_of(self.tokens, body.get("JoinToken", ""))

    def leave(self, machine: "Machine", force: bool) -> None:
        with self.mutex:
            node = self.nodes.of(machine)
            if node is None and self.joining.pop(machine.name, None) is None:
                raise Refused(503, "This node is not part of a swarm")
            if node is None:
                return
            if node.role == "manager" and not force:
                raise Refused(503, LEAVING + "Use `--force` to ignore this message.")
            node.machine, node.locked = None, False

    def update(self, machine: "Machine", key: str, index: int, spec: dict[str, Any]) -> tuple[Node, str]:
        """The node, and the role it had. Demotion takes its place at once; on real managers it takes a while."""
        with self.mutex:
            self._manager(machine)
            node = self.nodes.found(key)
            if index != node.index:
                raise Refused(500, "rpc error: code = Unknown desc = update out of sequence")
            was = node.role
            if was == "manager" and spec["Role"] == "worker" and len(self.nodes.managers()) == 1:
                raise Refused(412, "rpc error: code = FailedPrecondition desc = attempting to demote the last manager")
            node.role, node.availability = spec["Role"], spec["Availability"]
            node.labels = dict(spec.get("Labels") or {})
            node.membership = spec.get("Membership") or "accepted"
            node.index = next(self._indices)
            return node, was

    def remove(self, machine: "Machine", key: str, force: bool) -> None:
        with self.mutex:
            self._manager(machine)
            node = self.nodes.found(key)
            if node.role == "manager":
                why = "is a cluster manager and is a member of the raft cluster. It must be demoted to worker"
                raise Refused(400, f"rpc error: code = FailedPrecondition desc = node {node.id} {why} before removal")
            if node.answers and not force:
                why = f"node {node.id} is not down and can't be removed"
                raise Refused(400, f"rpc error: code = FailedPrecondition desc = {why}")
            del self.nodes[node.id]

    def configure(self, machine: "Machine", index: int, labels: dict[str, str]) -> None:
        """The swarm's own labels."""
        with self.mutex:
            self._manager(machine)
            if index != self.index:
                raise Refused(500, "rpc error: code = Unknown desc = update out of sequence")
            self.labels, self.index = labels, next(self._indices)

    def unlock(self, machine: "Machine") -> None:
        with self.mutex:
            node = self.nodes.of(machine)
            if node is not None:
                node.locked = False

    # --- ---

    def _add(self, machine: "Machine | None", hostname: str, address: str, engine: str) -> Node:
        node = Node(secrets.token_hex(13)[:25], hostname, address, engine, machine, index=next(self._indices))
        self.nodes[node.id] = node
        return node

    def _outside(self, machine: "Machine") -> None:
        if self.nodes.of(machine) is not None:
            raise Refused(503, ALREADY)
        what = "--cluster-store and --cluster-advertise" if machine.dockerd.cluster else "--live-restore"
        if machine.dockerd.cluster or machine.dockerd.live_restore:
            verb = "configurations are" if machine.dockerd.cluster else "configuration is"
            raise Refused(500, f"{what} daemon {verb} incompatible with swarm mode")

    def _manager(self, machine: "Machine") -> None:
        node = self.nodes.of(machine)
        if node is None:
            raise Refused(503, OUTSIDE)
        if node.locked:
            raise Refused(503, LOCKED)
        if not node.manages:
            raise Refused(503, WORKER)
        if not self.nodes.quorum():
            raise Refused(500, LEADERLESS)

    def _remote(self, addresses: Iterable[str]) -> None:
        if self.nodes.at(addresses) is None:
            raise Refused(500, UNREACHED)
        if not self.nodes.quorum():
            raise Refused(500, LEADERLESS)
