"""What is true of a host and of the swarm, as frozen values, and how to read it from what tools print. Pure."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from imker.text import one_line
from jobs.daemon_options import OptionFiles, UnitFacts
from jobs.preflight.conditions import Conditions

ID = re.compile(r"[A-Za-z0-9_-]{1,64}")  # of a node; Docker's have 25 characters
WORD = 128  # characters of a name, a state, an address that a host says
TASK = "com.docker.swarm.task.id"  # container label
DRAINED = "imker.drained"  # node label: has no work while Imker restarts its Engine
PENDING = "imker.pending"  # node label: joined as a worker, waits to be accepted as a manager


@dataclass(frozen=True)
class Container:
    """`restart`: the policy's name, "no" for none; `ports`: as `docker ps` writes them, or, on the host's own network,

    those that its image names; `drives`: whether it has the Engine's own socket; `command`: its arguments.
    """

    name: str
    image: str
    running: bool
    restart: str
    networks: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()
    drives: bool = False
    command: tuple[str, ...] = ()


@dataclass(frozen=True)
class Package:
    """The Engine's package. `candidates`: versions that apt would offer with the wanted source, newest first;

    `cli`: the package of the `docker` command, where that is one of its own; `older`: candidates older than what is
    `installed`; `present`: the installed package's name, where another one is wanted in its place.
    """

    name: str
    installed: str
    state: str  # dpkg's, "ii" when all is well
    candidates: tuple[str, ...] = ()
    cli_candidates: tuple[str, ...] = ()
    cli: str = ""
    older: tuple[str, ...] = ()
    present: str = ""

    @property
    def old(self) -> str:
        """What is installed, as apt would be asked for it."""
        return f"{self.present or self.name}={self.installed}"


@dataclass(frozen=True)
class SwarmPlace:
    """A host's own word on its place: `state`, its LocalNodeState, is "inactive", "active", "pending"…

    `remotes`: (node ID, address) of each manager that it names; the ID is "" right after a join. `engine`: Engine ID.
    """

    state: str = "inactive"
    node: str = ""
    manager: bool = False
    cluster: str = ""
    remotes: tuple[tuple[str, str], ...] = ()
    engine: str = ""


@dataclass(frozen=True)
class HostFacts:
    """`engine`: the running daemon's version, "" if it is down. `stale`: its options changed since it was started.

    `source`: the apt list's text; `upgrade`: ActiveState of Imker's upgrade unit ("" if there is none);
    `ran`: names of the containers that ran before the last restart, as noted on the host, None without a note;
    `begun`: the last run that claimed the host, if a migration has noted what to go back to and is not over, else "";
    `api`: whether the Engine API answered over TLS from here.
    """

    name: str
    engine: str = ""
    stale: bool = False
    api: bool = True
    package: Package | None = None
    source: str = ""
    upgrade: str = ""
    options: OptionFiles = field(default_factory=lambda: OptionFiles(UnitFacts("", (), ()), {}))
    containers: tuple[Container, ...] = ()
    ran: tuple[str, ...] | None = None
    begun: str = ""
    place: SwarmPlace = SwarmPlace()
    conditions: Conditions | None = None


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
    manager: str
    engine: str
    pending: bool
    drained: bool = False  # by Imker


@dataclass(frozen=True)
class SwarmFacts:
    """The swarm as `asked` (a host's name) tells; no nodes and no `asked` when the inventory has no swarm.

    `managers`: names of the inventory's hosts that manage it, the one asked first. `silent`: hosts that did not answer.

    `problem`: why nobody could be asked; `autolock`: whether a restarted manager waits for a key; `places`: each host's
    own word, by name; `cluster`: the swarm's ID.
    """

    asked: str = ""
    nodes: tuple[Node, ...] = ()
    managers: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    problem: str = ""
    autolock: bool = False
    places: Mapping[str, SwarmPlace] = field(default_factory=dict)
    cluster: str = ""

    @property
    def exists(self) -> bool:
        return bool(self.nodes)


def upstream(version: str) -> str:
    """The Engine's own version in a package's: "5:27.3.1-1~debian" and "27.3.1+dfsg1" are both 27.3.1; "" if none."""
    found = re.match(r"(?:[0-9]{1,9}:)?v?([0-9]{1,9}(?:\.[0-9]{1,9}){0,9})", version)
    return found.group(1) if found else ""


def containers(inspected: str) -> tuple[Container, ...]:
    """From `docker inspect` of all containers; `[]` or nothing when there are none. A service's are the swarm's own."""
    seen = (one for one in json.loads(inspected or "[]") if TASK not in ((one.get("Config") or {}).get("Labels") or {}))
    return tuple(sorted(map(_container, seen), key=lambda container: container.name))


def _container(seen: Mapping[str, Any]) -> Container:
    config, hosts = seen.get("Config") or {}, seen.get("HostConfig") or {}
    networks = tuple((seen.get("NetworkSettings") or {}).get("Networks") or ())
    exposed = sorted(config.get("ExposedPorts") or {}) if networks == ("host",) else ()
    return Container(
        name=str(seen["Name"]).lstrip("/"),
        image=str(config.get("Image", "")),
        running=bool((seen.get("State") or {}).get("Running")),
        restart=(hosts.get("RestartPolicy") or {}).get("Name") or "no",
        networks=networks,
        ports=(*_ports(hosts.get("PortBindings") or {}), *exposed),
        drives=any(_has_socket(str(mount.get("Source"))) for mount in seen.get("Mounts") or ()),
        command=tuple(config.get("Cmd") or ()),
    )


def _has_socket(source: str) -> bool:
    """Itself, or the folder it is in: with -v or --mount, `docker inspect` names both under Mounts."""
    return source.rstrip("/") in ("/run", "/var/run") or source.endswith("/docker.sock")


def _ports(bindings: Mapping[str, Any]) -> list[str]:
    """As `docker ps` writes them: "8080->80/tcp", or "127.0.0.1:8080->80/tcp"."""
    return [
        f"{_near(host.get('HostIp') or '')}{host.get('HostPort', '')}->{inside}"
        for inside, hosts in sorted(bindings.items())
        for host in hosts or ()
    ]


def _near(address: str) -> str:
    return f"{address}:" if address.strip("0.:") else ""


def properties(shown: str) -> dict[str, str]:
    """`systemctl show`: one KEY=VALUE a line; a value may hold `=`; a key that comes again has a further line."""
    found: dict[str, str] = {}
    for line in shown.splitlines():
        key, given, value = line.partition("=")
        if given:
            found[key] = f"{found[key]}\n{value}" if key in found else value
    return found


def madison(printed: str) -> tuple[str, ...]:
    """`apt-cache madison`: versions, newest first, each once."""
    rows = (line.split("|") for line in printed.splitlines())
    return tuple(dict.fromkeys(row[1].strip() for row in rows if len(row) > 1))


def place_of_text(info_json: str) -> SwarmPlace:
    return place(json.loads(info_json))


def place(info: Mapping[str, Any]) -> SwarmPlace:
    """Raise ValueError for a node ID that is none."""
    swarm = info.get("Swarm") or {}
    return SwarmPlace(
        state=_word(swarm.get("LocalNodeState")) or "inactive",
        node=_node_id(swarm.get("NodeID") or ""),
        manager=bool(swarm.get("ControlAvailable")),
        cluster=_word((swarm.get("Cluster") or {}).get("ID")),
        remotes=tuple((_word(peer.get("NodeID")), _host_part(peer.get("Addr"))) for peer in _peers(swarm)),
        engine=_word(info.get("ID")),
    )


def _host_part(address: object) -> str:
    """Return "198.18.0.60" for "198.18.0.60:2377"."""
    return _word(address).rpartition(":")[0].strip("[]")


def _peers(swarm: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the managers that a host names, the first hundred."""
    return list(swarm.get("RemoteManagers") or ())[:100]


def node(seen: Mapping[str, Any]) -> Node:
    """Raise ValueError for a node ID that is none."""
    spec, description = seen.get("Spec") or {}, seen.get("Description") or {}
    status, manager = seen.get("Status") or {}, seen.get("ManagerStatus") or {}
    return Node(
        id=_node_id(seen["ID"]),
        hostname=_word(description.get("Hostname")),
        # A leader's own Status.Addr may be 0.0.0.0; the other managers dial this one before they let a manager in.
        address=_host_part(manager.get("Addr")) or _word(status.get("Addr")),
        role=_word(spec.get("Role")),
        availability=_word(spec.get("Availability")),
        state=_word(status.get("State")),
        manager="leader" if manager.get("Leader") else _word(manager.get("Reachability")),
        engine=_word((description.get("Engine") or {}).get("EngineVersion")),
        pending=PENDING in (spec.get("Labels") or {}),
        drained=DRAINED in (spec.get("Labels") or {}),
    )


def _word(said: Any) -> str:
    return one_line(str(said or ""), WORD)


def _node_id(said: Any) -> str:
    if said != "" and not ID.fullmatch(said):
        raise ValueError("no node ID")
    return str(said)
