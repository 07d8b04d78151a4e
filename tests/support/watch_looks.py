"""Describe what the watch sees in a few words, such as "kaditz Down, web 1/3"."""

import re
from collections.abc import Iterable

from bot.watch.fold import fold_hosts, fold_swarm
from bot.watch.model import Incident, OwnChanges, WatchState
from imker.protocol.observation import (
    EndingCertificate,
    HostObservation,
    Observation,
    ObservedNode,
    OptionDrift,
    ServiceProblem,
)
from imker.protocol.values import NodeRow

DAY = 24 * 3600
MANAGERS, WORKERS = ("connewitz", "tondi", "kaditz"), ("lausen", "miltitz")
NODES = (*MANAGERS, *WORKERS)
START = 1_795_440_000.0  # UNIX seconds of the first look


def observe(words: str, at: float) -> Observation | HostObservation:
    """Return the observation that these words describe.

    "NODE STATUS", "NODE unreachable", "NODE leads", "NODE gone", "SERVICE 1/3 [REASON]", "SERVICE 1/3 updating",
    "no manager", "no swarm", "no services"; of hosts: "hosts", "HOST cert 13d", "HOST drift OPTION", "HOST unknown".
    """
    parts = [part.strip() for part in words.split(",") if part.strip()]
    if any(re.search(r"^hosts$| cert | drift | unknown$", part) for part in parts):
        return _observe_hosts(parts, at)
    if parts in (["no manager"], ["no swarm"]):
        return Observation(at, problem="unreachable: connewitz, tondi, kaditz" if parts == ["no manager"] else "")
    leader = next((part.split()[0] for part in parts if part.endswith(" leads")), MANAGERS[0])
    states = dict(part.split(maxsplit=1) for part in parts if part.split()[0] in NODES)
    nodes = tuple(_node(name, leader, states.get(name, "")) for name in NODES if states.get(name) != "gone")
    services = [part for part in parts if re.search(r"^\S+ \d+/\d+", part)]
    count = None if "no services" in parts else 3
    return Observation(at, "connewitz", nodes, "", count, tuple(map(_service, services)))


def _observe_hosts(parts: Iterable[str], at: float) -> HostObservation:
    words = [part.split(maxsplit=2) for part in parts if part != "hosts"]
    certificates = [
        EndingCertificate(host, "cert.pem", at + float(rest[0].rstrip("d")) * DAY)
        for host, what, *rest in words
        if what == "cert"
    ]
    drifts = [OptionDrift(host, (rest[0],)) for host, what, *rest in words if what == "drift"]
    unknown = tuple(host for host, what, *_ in words if what == "unknown")
    return HostObservation(at, tuple(certificates), tuple(drifts), unknown)


def _node(name: str, leader: str, state: str) -> ObservedNode:
    is_down = state in ("Down", "Unknown", "Disconnected")
    reachability = "Unreachable" if is_down or state == "unreachable" else "Leader" if name == leader else "Reachable"
    manager_status = reachability if name in MANAGERS else ""
    row = NodeRow(
        f"id-{name}",
        name == "connewitz",
        name,
        "Accepted",
        state if is_down else "Ready",
        "Active",
        manager_status,
        "26.1.5",
    )
    return ObservedNode(row, name)


def _service(words: str) -> ServiceProblem:
    name, tasks, reason = (*words.split(maxsplit=2), "")[:3]
    running, desired = map(int, tasks.split("/"))
    is_updating = reason == "updating"
    return ServiceProblem(name, running, desired, "" if is_updating else reason, is_updating)


def fold(state: WatchState, words: str, at: float, own_hosts: str = "", is_muted: bool = False) -> WatchState:
    """Return the state after the observation. `at`: seconds since the start; `own_hosts`: hosts that Imker changes."""
    observation = observe(words, START + at)
    changes = OwnChanges(frozenset(own_hosts.split()))
    if isinstance(observation, HostObservation):
        return fold_hosts(state, observation, changes, is_muted=is_muted)
    return fold_swarm(state, observation, changes, is_muted=is_muted)


def changes(before: WatchState, after: WatchState) -> list[str]:
    """Return what is posted or edited because of the latest observation."""
    earlier = {_identity(incident): incident for incident in before.incidents}
    edits = [
        text
        for incident in after.incidents
        for text in _changes_of(earlier.get(_identity(incident)), incident)
        if incident.notices
    ]
    leaders = [change for change in after.leadership.changes if change not in before.leadership.changes]
    return [*edits, *(f"leader {change.old} {change.new}" for change in leaders)]


def _identity(incident: Incident) -> tuple[str, float]:
    return incident.condition.key, incident.began_at


def _changes_of(before: Incident | None, incident: Incident) -> Iterable[str]:
    label = f"{incident.condition.kind} {incident.condition.label}"
    if len(incident.notices) > (len(before.notices) if before else 0):
        again = " again" if len(incident.notices) > 1 else ""
        yield f"post {label} {incident.condition.status}{again}"
    if incident.phase == "resolved" and (before is None or before.phase in ("open", "clearing")):
        yield f"resolve {label}{' removed' if incident.is_removed else ''}"
