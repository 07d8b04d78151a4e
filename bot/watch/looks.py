"""Turn an observation into the conditions that it shows. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from bot.watch.model import HOLD, UPDATE_HOLD, Condition, Kind
from imker.protocol.observation import HostObservation, Observation, ObservedNode, ServiceProblem

DAY = 24 * 3600
CERTIFICATE_DAYS = (14, 3, 0)  # before a certificate ends; each is an incident of its own
LEADER, REACHABLE = "Leader", "Reachable"  # manager status of a node
UNREACHABLE = "unreachable as a manager"  # status of a node that is Ready


@dataclass(frozen=True)
class Look:
    """What one observation shows.

    `kinds`: what it covers, of all else nothing is known; `conditions`: by key; `subjects`: keys of everything of these
    kinds that exists, None if that is unknown; `unknown_hosts`: hosts of which nothing is known.
    """

    taken_at: float
    kinds: frozenset[Kind]
    conditions: Mapping[str, Condition]
    subjects: frozenset[str] | None = None
    unknown_hosts: frozenset[str] = field(default_factory=frozenset)

    def covers(self, condition: Condition) -> bool:
        """Return whether this look shows if the condition is there."""
        return condition.kind in self.kinds and not (condition.host and condition.host in self.unknown_hosts)

    def is_superseded(self, condition: Condition) -> bool:
        """Return whether the same certificate ends even sooner than this condition says."""
        later = [days for days in CERTIFICATE_DAYS if condition.name.endswith(f" {days}")]
        subject = condition.name.removesuffix(f" {later[0]}") if later else ""
        sooner = [f"certificate {subject} {days}" for days in CERTIFICATE_DAYS if later and days < later[0]]
        return condition.kind == "certificate" and any(key in self.conditions for key in sooner)

    def is_removed(self, condition: Condition) -> bool:
        """Return whether the condition's subject no longer exists."""
        return condition.kind == "node" and self.subjects is not None and condition.key not in self.subjects


def look_at_swarm(observation: Observation) -> Look:
    """Return what the managers report. If none answers, nothing is known of nodes and services."""
    if not observation.answered_by:
        problem = Condition(
            "swarm", "managers", "the swarm", "unreachable", detail=observation.problem, hold=HOLD["swarm"]
        )
        problems = [problem] if observation.problem else []
        return _look(observation.taken_at, {"swarm"}, problems)
    nodes = list(_node_conditions(observation.nodes))
    services = [_service_condition(problem) for problem in observation.service_problems]
    kinds: set[Kind] = {"swarm", "node"} if observation.services is None else {"swarm", "node", "service"}
    subjects = frozenset(f"node {node.row.id}" for node in observation.nodes)
    return _look(observation.taken_at, kinds, [*nodes, *services], subjects)


def look_at_hosts(observation: HostObservation) -> Look:
    """Return what is seen on the hosts only."""
    certificates = [
        Condition("certificate", f"{item.host} {item.name} {days}", item.name, status, item.host, ends_at=item.ends_at)
        for item in observation.certificates
        for days, status in _certificate_stages(item.ends_at, observation.taken_at)
    ]
    drifts = [
        Condition("options", drift.host, drift.host, "changed", drift.host, ", ".join(drift.changes))
        for drift in observation.drifts
    ]
    look = _look(observation.taken_at, {"certificate", "options"}, [*certificates, *drifts])
    return Look(look.taken_at, look.kinds, look.conditions, None, frozenset(observation.unknown_hosts))


def label_of(node: ObservedNode) -> str:
    """Return what users call the node: its host in the inventory, or the name that it reports."""
    return node.host or node.row.hostname


def is_reachable(node: ObservedNode) -> bool:
    """Return whether the node is a manager that takes part in the swarm."""
    return node.row.status == "Ready" and node.row.manager_status in (LEADER, REACHABLE)


def _look(
    taken_at: float, kinds: set[Kind], conditions: list[Condition], subjects: frozenset[str] | None = None
) -> Look:
    return Look(taken_at, frozenset(kinds), {condition.key: condition for condition in conditions}, subjects)


def _node_conditions(nodes: tuple[ObservedNode, ...]) -> Iterator[Condition]:
    managers = [node for node in nodes if node.row.manager_status]
    reachable = sum(map(is_reachable, managers))
    for node in nodes:
        manages = bool(node.row.manager_status)
        is_ready = node.row.status == "Ready"
        status = node.row.status if not is_ready else UNREACHABLE if manages and not is_reachable(node) else ""
        if status:
            counts = len(managers), reachable
            yield Condition("node", node.row.id, label_of(node), status, node.host, "", *counts, hold=HOLD["node"])


def _service_condition(problem: ServiceProblem) -> Condition:
    status = f"{problem.running} of {problem.desired} tasks running"
    hold = UPDATE_HOLD if problem.is_updating else HOLD["service"]
    return Condition("service", problem.name, problem.name, status, detail=problem.reason, hold=hold)


def _certificate_stages(ends_at: float, now: float) -> Iterator[tuple[int, str]]:
    """Yield the numbers of days before its end that have begun: an earlier one stays until it is renewed."""
    for days in CERTIFICATE_DAYS:
        if ends_at - now <= days * DAY:
            yield days, "expired" if days == 0 else f"ends within {days} days"
