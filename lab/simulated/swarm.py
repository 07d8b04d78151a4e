"""The swarm that simulated hosts share: its queries, its changes, and their errors.

In: a host and a request to its Engine. Out: values as the Engine API returns them, or EngineError.
"""

import itertools
import secrets
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from lab.simulated import engine_errors, join_tokens
from lab.simulated.engine_errors import EngineError
from lab.simulated.engine_versions import Pace, accepts_membership
from lab.simulated.nodes import Node, Nodes, SwarmMember, local_info, node_to_api
from lab.simulated.services.services import Services


class Swarm:
    """The only swarm of a world. `init` creates it."""

    def __init__(self, pace: Pace | None = None) -> None:
        self.mutex = threading.RLock()
        self.id = ""
        self.nodes = Nodes()
        self.autolock = False  # a manager that restarts waits for the unlock key
        self.pending_joins: dict[str, dict[str, Any]] = {}  # request bodies by host name
        self.tokens: dict[str, str] = {}
        self._leader = ""
        self._services = Services(pace or Pace())
        self.labels: dict[str, str] = {}
        self.version_index = 10
        self._indices = itertools.count(11)

    # --- state, and changes that happen automatically ---

    def node_of(self, machine: SwarmMember) -> Node | None:
        with self.mutex:
            return self.nodes.of_machine(machine)

    def leader(self) -> str:
        """Return the ID of the leader, "" without quorum. If the last leader is down, elect the next manager."""
        elected = self.nodes.elect(self._leader)
        self._leader = elected or self._leader
        return elected

    def daemon_started(self, machine: SwarmMember) -> None:
        """Register a started daemon. With autolock, a manager then waits for the unlock key."""
        with self.mutex:
            node = self.nodes.of_machine(machine)
            if node is not None:
                node.engine_version = machine.engine_version
                node.is_locked = self.autolock and node.role == "manager"
            self.finish_join(machine)

    def add_ghost(self, machine: SwarmMember) -> None:
        """Inject a fault: the stale node that remains when a host left by force and joined again."""
        with self.mutex:
            self._add_node(None, machine.name, machine.address, machine.engine_version)

    def drain(self, machine: SwarmMember) -> bool:
        """Drain the node as another user would. Return False if there was no active node."""
        with self.mutex:
            node = self.nodes.of_machine(machine)
            if node is None or node.availability == "drain":
                return False
            node.availability, node.version_index = "drain", next(self._indices)
            return True

    def lock_manager(self, machine: SwarmMember) -> bool:
        """Inject a fault: the manager restarted without its key. Return False if no manager could be locked."""
        with self.mutex:
            node = self.nodes.of_machine(machine)
            if node is None or not node.is_manager or node.is_locked:
                return False
            node.is_locked = True
            return True

    # --- services ---

    @contextmanager
    def services_of(self, machine: SwarmMember) -> Iterator[Services]:
        """Return the services for one query or change. Raise EngineError if the host is not a manager."""
        with self.mutex:
            self._require_manager(machine)
            yield self._services

    @property
    def services(self) -> Services:
        """Return the services, for faults and tests."""
        return self._services

    # --- queries ---

    def local_info(self, machine: SwarmMember) -> dict[str, Any]:
        with self.mutex:
            return local_info(machine, self.nodes, self.id, machine.name in self.pending_joins)

    def inspect(self, machine: SwarmMember) -> dict[str, Any]:
        with self.mutex:
            self._require_manager(machine)
            spec = {
                "Name": "default",
                "Labels": dict(self.labels),
                "EncryptionConfig": {"AutoLockManagers": self.autolock},
            }
            join_tokens_field = {} if accepts_membership(machine.engine_version) else {"JoinTokens": dict(self.tokens)}
            return {"ID": self.id, "Version": {"Index": self.version_index}, "Spec": spec, **join_tokens_field}

    def list_nodes(self, machine: SwarmMember) -> list[dict[str, Any]]:
        with self.mutex:
            self._require_manager(machine)
            return [node_to_api(node, node.id == self.leader()) for node in self.nodes.values()]

    def show_node(self, machine: SwarmMember, key: str) -> dict[str, Any]:
        with self.mutex:
            self._require_manager(machine)
            node = self.nodes.find(key)
            return node_to_api(node, node.id == self.leader())

    # --- changes ---

    def init(self, machine: SwarmMember, advertise: str = "") -> str:
        with self.mutex:
            self._require_outside(machine)
            self.id, self.nodes, self.labels = secrets.token_hex(12), Nodes(), {}
            self._services.reset(self.nodes)
            self.tokens = join_tokens.create_tokens()
            node = self._add_node(machine, machine.name, advertise or machine.address, machine.engine_version)
            node.role = "manager"
            return node.id

    def join(self, machine: SwarmMember, body: dict[str, Any]) -> None:
        """Request to join; `finish_join` does the rest. Raises EngineError before anything has changed."""
        with self.mutex:
            self._require_outside(machine)
            if machine.name in self.pending_joins:
                raise EngineError(503, engine_errors.ALREADY_IN_SWARM)
            self._require_remote_manager(body.get("RemoteAddrs") or [])
            if not accepts_membership(machine.engine_version):
                join_tokens.role_for_token(self.tokens, body.get("JoinToken", ""))
            self.pending_joins[machine.name] = body

    def finish_join(self, machine: SwarmMember) -> None:
        """Finish a requested join. While the daemon is down, the join waits for its next start."""
        with self.mutex:
            body = self.pending_joins.pop(machine.name, None) if machine.engine_version else None
            if body is None:
                return
            address = str(body.get("AdvertiseAddr") or machine.address)
            node = self._add_node(machine, machine.name, address, machine.engine_version)
            node.availability = str(body.get("Availability") or "active")
            if accepts_membership(machine.engine_version):
                node.role = "manager" if body.get("Manager") else "worker"
                node.membership = "pending" if body.get("Manager") else "accepted"
            else:
                node.role = join_tokens.role_for_token(self.tokens, body.get("JoinToken", ""))

    def leave(self, machine: SwarmMember, force: bool) -> None:
        with self.mutex:
            node = self.nodes.of_machine(machine)
            if node is None and self.pending_joins.pop(machine.name, None) is None:
                raise EngineError(503, "This node is not part of a swarm")
            if node is None:
                return
            if node.role == "manager" and not force:
                raise EngineError(503, engine_errors.MANAGER_IS_LEAVING + "Use `--force` to ignore this message.")
            node.machine, node.is_locked = None, False

    def update_node(self, machine: SwarmMember, key: str, index: int, spec: dict[str, Any]) -> tuple[Node, str]:
        """Update a node and return it with its old role.

        A demotion takes effect immediately, unlike on real managers.
        """
        with self.mutex:
            self._require_manager(machine)
            node = self.nodes.find(key)
            if index != node.version_index:
                raise EngineError(500, "rpc error: code = Unknown desc = update out of sequence")
            old_role = node.role
            if old_role == "manager" and spec["Role"] == "worker" and len(self.nodes.managers()) == 1:
                raise EngineError(
                    412, "rpc error: code = FailedPrecondition desc = attempting to demote the last manager"
                )
            node.role, node.availability = spec["Role"], spec["Availability"]
            node.labels = dict(spec.get("Labels") or {})
            node.membership = spec.get("Membership") or "accepted"
            node.version_index = next(self._indices)
            return node, old_role

    def remove_node(self, machine: SwarmMember, key: str, force: bool) -> None:
        with self.mutex:
            self._require_manager(machine)
            node = self.nodes.find(key)
            if node.role == "manager":
                reason = "is a cluster manager and is a member of the raft cluster. It must be demoted to worker"
                raise EngineError(
                    400, f"rpc error: code = FailedPrecondition desc = node {node.id} {reason} before removal"
                )
            if node.is_reachable and not force:
                reason = f"node {node.id} is not down and can't be removed"
                raise EngineError(400, f"rpc error: code = FailedPrecondition desc = {reason}")
            del self.nodes[node.id]

    def set_labels(self, machine: SwarmMember, index: int, labels: dict[str, str]) -> None:
        """Replace the swarm's own labels."""
        with self.mutex:
            self._require_manager(machine)
            if index != self.version_index:
                raise EngineError(500, "rpc error: code = Unknown desc = update out of sequence")
            self.labels, self.version_index = labels, next(self._indices)

    def unlock_manager(self, machine: SwarmMember) -> None:
        with self.mutex:
            node = self.nodes.of_machine(machine)
            if node is not None:
                node.is_locked = False

    # --- helpers ---

    def _add_node(self, machine: SwarmMember | None, hostname: str, address: str, engine: str) -> Node:
        node = Node(secrets.token_hex(13)[:25], hostname, address, engine, machine, version_index=next(self._indices))
        self.nodes[node.id] = node
        return node

    def _require_outside(self, machine: SwarmMember) -> None:
        if self.nodes.of_machine(machine) is not None:
            raise EngineError(503, engine_errors.ALREADY_IN_SWARM)
        if conflict := machine.swarm_conflict:
            raise EngineError(500, conflict)

    def _require_manager(self, machine: SwarmMember) -> None:
        node = self.nodes.of_machine(machine)
        if node is None:
            raise EngineError(503, engine_errors.NOT_IN_SWARM)
        if node.is_locked:
            raise EngineError(503, engine_errors.SWARM_LOCKED)
        if not node.is_manager:
            raise EngineError(503, engine_errors.NOT_A_MANAGER)
        if not self.nodes.has_quorum():
            raise EngineError(500, engine_errors.NO_LEADER)

    def _require_remote_manager(self, addresses: Iterable[str]) -> None:
        if self.nodes.manager_at(addresses) is None:
            raise EngineError(500, engine_errors.CONNECTION_REFUSED)
        if not self.nodes.has_quorum():
            raise EngineError(500, engine_errors.NO_LEADER)
