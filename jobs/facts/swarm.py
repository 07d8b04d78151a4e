"""Parse the swarm's nodes and a host's membership from the Engine API. Pure."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from imker.text import one_line

NODE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")  # Docker's node IDs have 25 characters
MAX_WORD_LENGTH = 128  # characters of a name, a state, or an address that a host reports
DRAINED_LABEL = "imker.drained"  # node label: drained while its Engine restarts; its value is the former availability
DRAIN_LABEL = "imker.drain"  # node label: drained by `/swarm drain`; its value is the run and the requester
PENDING_LABEL = "imker.pending"  # node label: a worker that is a pending manager
PROMOTION = "promotion"  # value of PENDING_LABEL: it was no drained joiner, so that its availability stays as it is
DRAIN_VALUE = re.compile(r"([a-z0-9]{3,40}) ([A-Z0-9]{3,20})", re.ASCII)


@dataclass(frozen=True)
class SwarmMembership:
    """The membership that a host reports. `state`: its LocalNodeState, "inactive", "active", "pending", and so on.

    `managers`: (node ID, address) of each manager that the host knows; the ID is "" right after a join.
    """

    state: str = "inactive"
    node_id: str = ""
    is_manager: bool = False
    cluster_id: str = ""
    managers: tuple[tuple[str, str], ...] = ()
    engine_id: str = ""


@dataclass(frozen=True)
class Node:
    """A node as a manager lists it. `manager_status`: "leader", "reachable", "unreachable", or "" for a worker.

    `address`: where the managers reach the node. The managers set it, not the node. `keeps_availability`: its
    acceptance or rejection as a manager leaves its availability as it is. `drain_run`, `drain_user`: run and
    requester of the `/swarm drain` that drained it, "" for none.
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
    drained_by_imker: bool = False
    keeps_availability: bool = False
    drain_run: str = ""
    drain_user: str = ""

    @property
    def manages(self) -> bool:
        """Return whether it is a manager that takes part in the swarm."""
        return self.manager_status in ("leader", "reachable")

    @property
    def takes_work(self) -> bool:
        """Return whether new service tasks can start on it."""
        return self.state == "ready" and self.availability == "active"


@dataclass(frozen=True)
class SwarmFacts:
    """The swarm as the manager `answered_by` (a host name) reports it. Both are empty if there is no swarm.

    `managers`: names of the hosts that manage it, `answered_by` first; `unreachable`: names of the hosts that did not
    answer; `problem`: why no manager could be asked, "" for none; `autolock`: a restarted manager needs the unlock key;
    `memberships`: as each host reports it, by name; `cluster_id`: the swarm's ID; `silent_managers`: names of the hosts
    that manage it but do not answer, if no other manager can report it and nothing contradicts that.
    """

    answered_by: str = ""
    nodes: tuple[Node, ...] = ()
    managers: tuple[str, ...] = ()
    unreachable: tuple[str, ...] = ()
    problem: str = ""
    autolock: bool = False
    memberships: Mapping[str, SwarmMembership] = field(default_factory=dict)
    cluster_id: str = ""
    silent_managers: tuple[str, ...] = ()

    @property
    def exists(self) -> bool:
        return bool(self.nodes)


def parse_membership_json(info_json: str) -> SwarmMembership:
    return parse_membership(json.loads(info_json))


def parse_membership(info: Mapping[str, Any]) -> SwarmMembership:
    """Parse an answer of /info. Raise ValueError for an invalid node ID."""
    swarm = info.get("Swarm") or {}
    return SwarmMembership(
        state=_parse_word(swarm.get("LocalNodeState")) or "inactive",
        node_id=_parse_node_id(swarm.get("NodeID") or ""),
        is_manager=bool(swarm.get("ControlAvailable")),
        cluster_id=_parse_word((swarm.get("Cluster") or {}).get("ID")),
        managers=tuple((_parse_word(peer.get("NodeID")), _host_part(peer.get("Addr"))) for peer in _peers(swarm)),
        engine_id=_parse_word(info.get("ID")),
    )


def parse_storage_driver(info: Mapping[str, Any]) -> str:
    """Return the storage driver in an answer of /info, "" if it names none."""
    return _parse_word(info.get("Driver"))


def _host_part(address: object) -> str:
    """Return "198.18.0.60" for "198.18.0.60:2377"."""
    return _parse_word(address).rpartition(":")[0].strip("[]")


def _peers(swarm: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the managers that a host knows, at most 100."""
    return list(swarm.get("RemoteManagers") or ())[:100]


def parse_node(document: Mapping[str, Any]) -> Node:
    """Parse a node of an answer of /nodes. Raise ValueError for an invalid node ID."""
    spec, description = document.get("Spec") or {}, document.get("Description") or {}
    status, manager = document.get("Status") or {}, document.get("ManagerStatus") or {}
    labels = spec.get("Labels") or {}
    drain = DRAIN_VALUE.fullmatch(str(labels.get(DRAIN_LABEL) or ""))
    return Node(
        id=_parse_node_id(document["ID"]),
        hostname=_parse_word(description.get("Hostname")),
        # A leader's Status.Addr may be 0.0.0.0. The other managers connect to ManagerStatus.Addr.
        address=_host_part(manager.get("Addr")) or _parse_word(status.get("Addr")),
        role=_parse_word(spec.get("Role")),
        availability=_parse_word(spec.get("Availability")),
        state=_parse_word(status.get("State")),
        manager_status="leader" if manager.get("Leader") else _parse_word(manager.get("Reachability")),
        engine_version=_parse_word((description.get("Engine") or {}).get("EngineVersion")),
        pending=PENDING_LABEL in labels,
        drained_by_imker=DRAINED_LABEL in labels,
        keeps_availability=labels.get(PENDING_LABEL) == PROMOTION,
        drain_run=drain[1] if drain else "",
        drain_user=drain[2] if drain else "",
    )


def _parse_word(value: Any) -> str:
    return one_line(str(value or ""), MAX_WORD_LENGTH)


def _parse_node_id(value: Any) -> str:
    if value != "" and not NODE_ID.fullmatch(value):
        raise ValueError("invalid node ID")
    return str(value)
