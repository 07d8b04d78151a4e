"""The swarm's nodes and a host's membership, read from the Engine API. Pure."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from imker.text import one_line

NODE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")  # of a node; Docker's have 25 characters
MAX_WORD_LENGTH = 128  # characters of a name, a state, an address that a host says
DRAINED_LABEL = "imker.drained"  # node label: has no work while Imker restarts its Engine
PENDING_LABEL = "imker.pending"  # node label: joined as a worker, waits to be accepted as a manager


@dataclass(frozen=True)
class SwarmMembership:
    """A host's own word on its place: `state`, its LocalNodeState, is "inactive", "active", "pending"…

    `remotes`: (node ID, address) of each manager that it names; the ID is "" right after a join. `engine`: Engine ID.
    """

    state: str = "inactive"
    node_id: str = ""
    is_manager: bool = False
    cluster_id: str = ""
    managers: tuple[tuple[str, str], ...] = ()
    engine_id: str = ""


@dataclass(frozen=True)
class Node:
    """A node as a manager sees it. `manager`: "leader", "reachable", "unreachable", or "" for a worker.

    `address`: where the managers reach it. They set it, not the node.
    """

    id: str
    hostname: str
    address: str
    role: str
    availability: str
    state: str
    manager_status: str
    engine_version: str
    pending: bool
    drained_by_imker: bool = False  # by Imker


@dataclass(frozen=True)
class SwarmFacts:
    """The swarm as `asked` (a host's name) tells; no nodes and no `asked` when the inventory has no swarm.

    `managers`: names of the inventory's hosts that manage it, the one asked first. `silent`: hosts that did not answer.

    `problem`: why nobody could be asked; `autolock`: whether a restarted manager waits for a key; `places`: each host's
    own word, by name; `cluster`: the swarm's ID.
    """

    answered_by: str = ""
    nodes: tuple[Node, ...] = ()
    managers: tuple[str, ...] = ()
    unreachable: tuple[str, ...] = ()
    problem: str = ""
    autolock: bool = False
    memberships: Mapping[str, SwarmMembership] = field(default_factory=dict)
    cluster_id: str = ""

    @property
    def exists(self) -> bool:
        return bool(self.nodes)


def parse_membership_json(info_json: str) -> SwarmMembership:
    return parse_membership(json.loads(info_json))


def parse_membership(info: Mapping[str, Any]) -> SwarmMembership:
    """Raise ValueError for a node ID that is none."""
    swarm = info.get("Swarm") or {}
    return SwarmMembership(
        state=_parse_word(swarm.get("LocalNodeState")) or "inactive",
        node_id=_parse_node_id(swarm.get("NodeID") or ""),
        is_manager=bool(swarm.get("ControlAvailable")),
        cluster_id=_parse_word((swarm.get("Cluster") or {}).get("ID")),
        managers=tuple((_parse_word(peer.get("NodeID")), _host_part(peer.get("Addr"))) for peer in _peers(swarm)),
        engine_id=_parse_word(info.get("ID")),
    )


def _host_part(address: object) -> str:
    """Return "198.18.0.60" for "198.18.0.60:2377"."""
    return _parse_word(address).rpartition(":")[0].strip("[]")


def _peers(swarm: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the managers that a host names, the first hundred."""
    return list(swarm.get("RemoteManagers") or ())[:100]


def parse_node(document: Mapping[str, Any]) -> Node:
    """Raise ValueError for a node ID that is none."""
    spec, description = document.get("Spec") or {}, document.get("Description") or {}
    status, manager = document.get("Status") or {}, document.get("ManagerStatus") or {}
    return Node(
        id=_parse_node_id(document["ID"]),
        hostname=_parse_word(description.get("Hostname")),
        # A leader's own Status.Addr may be 0.0.0.0; the other managers dial this one before they let a manager in.
        address=_host_part(manager.get("Addr")) or _parse_word(status.get("Addr")),
        role=_parse_word(spec.get("Role")),
        availability=_parse_word(spec.get("Availability")),
        state=_parse_word(status.get("State")),
        manager_status="leader" if manager.get("Leader") else _parse_word(manager.get("Reachability")),
        engine_version=_parse_word((description.get("Engine") or {}).get("EngineVersion")),
        pending=PENDING_LABEL in (spec.get("Labels") or {}),
        drained_by_imker=DRAINED_LABEL in (spec.get("Labels") or {}),
    )


def _parse_word(said: Any) -> str:
    return one_line(str(said or ""), MAX_WORD_LENGTH)


def _parse_node_id(said: Any) -> str:
    if said != "" and not NODE_ID.fullmatch(said):
        raise ValueError("no node ID")
    return str(said)
