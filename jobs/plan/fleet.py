"""Arrange the migration of a fleet: roles, order, and the fault tolerance after each host. Pure.

The first host is a canary. The others follow in waves. Hosts that join share a wave, managers-to-be first: they join as
drained workers, and only their promotion is exclusive. A node of the swarm that is upgraded has a wave of its own. The
host of the key-value store comes last, when the store is unused, unless it has to initialize the swarm.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate

from imker.protocol.commands import Role
from imker.protocol.events import FleetPlanned
from imker.protocol.values import Finding, HostPlan
from jobs.facts import quorum
from jobs.facts.packages import parse_engine_version
from jobs.facts.swarm import Node, SwarmFacts
from jobs.inventory.model import Host
from jobs.plan import Plan, Refusal
from jobs.steps import InitSwarm, JoinSwarm, RestartEngine, UpgradeEngine

DEFAULT_MANAGERS = 3  # proposed when the inventory names none; one of three may fail


def current_managers(hosts: Iterable[Host], swarm: SwarmFacts) -> frozenset[str]:
    """Return the names of the hosts that are managers, or pending managers."""
    at = {node.address for node in _managers_and_pending(swarm)}
    return frozenset(host.name for host in hosts if host.name in swarm.managers or host.advertise_address in at)


def other_managers(hosts: Iterable[Host], swarm: SwarmFacts) -> int:
    """Return how many managers and pending managers of the swarm are not among these hosts."""
    return max(0, len(_managers_and_pending(swarm)) - len(current_managers(hosts, swarm)))


def assign_roles(
    hosts: Sequence[Host], stores: frozenset[str], current: frozenset[str], others: int = 0
) -> dict[str, Role]:
    """Return the role of each host, from the inventory. Without any manager there, propose an odd number of them.

    Proposed managers run on different servers, and a current manager stays one. `stores`: hosts with the key-value
    store; `current`: from `current_managers`; `others`: from `other_managers`.
    """
    manager_names = {host.name for host in hosts if host.role == "manager"} or _propose_managers(
        hosts, stores, current, others
    )
    return {host.name: "manager" if host.name in manager_names | current else "worker" for host in hosts}


def order_hosts(
    hosts: Sequence[Host], roles: Mapping[str, Role], stores: frozenset[str], leader: str = ""
) -> tuple[Host, ...]:
    """Return the hosts in the order of their migration: a first manager, the other managers, the workers, store hosts.

    The first manager was preferably in no classic swarm, as it has the least to lose. The `leader` of an existing swarm
    is the last manager, so that its restart costs one election only.
    """

    def place(host: Host) -> tuple[bool, bool, bool, str]:
        return roles[host.name] == "worker", host.name == leader, bool(host.discovery), host.name

    first = min(hosts, key=lambda host: (roles[host.name] == "worker", host.name in stores, place(host)), default=None)
    return tuple(sorted(hosts, key=lambda host: (host != first, host.name in stores, place(host))))


def arrange_fleet(
    hosts: Sequence[Host],
    roles: Mapping[str, Role],
    plans: Mapping[str, Plan | Refusal],
    swarm: SwarmFacts,
    stores: frozenset[str],
    parallel: int,
) -> FleetPlanned:
    """Return the fleet plan. `hosts`: as ordered by `order_hosts`; `parallel`: hosts to migrate at the same time."""
    todo = [host for host in hosts if not _is_done(plans[host.name])]
    managers = accumulate(
        (_joins_as_manager(roles[host.name], plans[host.name], swarm) for host in todo),
        initial=sum(node.role == "manager" for node in swarm.nodes),
    )
    host_plans = [
        _host_plan(host, roles[host.name], plans[host.name], wave, number)
        for host, wave, number in zip(
            todo, _assign_waves(todo, stores | _members(plans)), list(managers)[1:], strict=True
        )
    ]
    finished = tuple(host.name for host in hosts if host not in todo)
    findings = (*_check_managers(hosts, roles, other_managers(hosts, swarm)), *_check_versions(plans))
    return FleetPlanned(tuple(host_plans), finished, findings, parallel)


def find_deviation(fleet: FleetPlanned, host: str, plan: Plan) -> Refusal | None:
    """Return why a host's plan is not what the fleet's start approved, None if it is.

    Only the first host may initialize a swarm. A host that was planned to join shares its wave with others, so it does
    not restart as a node.
    """
    host_plan = next((item for item in fleet.host_plans if item.host == host), None)
    may_init = host_plan == fleet.host_plans[0] if host_plan else False
    if host_plan is None:
        problem = f"the fleet's plan does not include {host}"
    elif any(isinstance(step, InitSwarm) for step in plan.steps) and not may_init:
        problem = f"there is no swarm now, and the fleet's plan was that {host} joins one"
    elif host_plan.joins and _is_member(plan) and any(isinstance(step, RestartEngine) for step in plan.steps):
        problem = f"{host} is a node of the swarm now, which the fleet's plan did not show"
    else:
        return None
    return Refusal(problem, "Plan the fleet again.")


def _managers_and_pending(swarm: SwarmFacts) -> tuple[Node, ...]:
    return tuple(node for node in swarm.nodes if node.role == "manager" or node.pending)


def _propose_managers(hosts: Sequence[Host], stores: frozenset[str], current: frozenset[str], others: int) -> set[str]:
    """Return the first host of each server, as many as make an odd number together with `others`."""

    def place(host: Host) -> tuple[bool, bool, bool, str]:
        return host.name not in current, host.name in stores, bool(host.discovery), host.name

    first: dict[str, str] = {}
    for host in sorted(hosts, key=place):
        first.setdefault(host.server or host.name, host.name)
    number = min(DEFAULT_MANAGERS, len(first) + others)
    return set(list(first.values())[: max(0, number - (number % 2 == 0) - others)])


def _is_done(plan: Plan | Refusal) -> bool:
    return isinstance(plan, Plan) and not plan.steps and not plan.needs_acceptance


def _joins_as_manager(role: Role, plan: Plan | Refusal, swarm: SwarmFacts) -> int:
    founds = isinstance(plan, Plan) and not plan.needs_acceptance and not swarm.exists
    return int(role == "manager" and isinstance(plan, Plan) and (plan.needs_acceptance or founds))


def _members(plans: Mapping[str, Plan | Refusal]) -> frozenset[str]:
    """Return the hosts that are nodes already and still have steps.

    They go one at a time: other nodes take over their tasks, and two managers must never restart together.
    """
    viable = ((name, viable) for name, viable in plans.items() if isinstance(viable, Plan))
    return frozenset(name for name, plan in viable if _is_member(plan))


def _is_member(plan: Plan) -> bool:
    return bool(plan.steps) and not any(isinstance(step, InitSwarm | JoinSwarm) for step in plan.steps)


def _packages(plan: Plan) -> tuple[str, ...]:
    return next((step.packages for step in plan.steps if isinstance(step, UpgradeEngine)), ())


def _assign_waves(hosts: Iterable[Host], exclusive: frozenset[str]) -> list[int]:
    """Return a wave number for each host. Neither the canary nor an `exclusive` host shares its wave."""
    waves: list[int] = []
    together = False
    for host in hosts:
        apart = host.name in exclusive or not waves
        waves.append((waves[-1] if waves else -1) + int(apart or not together))
        together = not apart
    return waves


def _host_plan(host: Host, role: Role, plan: Plan | Refusal, wave: int, managers: int) -> HostPlan:
    if isinstance(plan, Refusal):
        return HostPlan(host.name, role, 0, wave, "", findings=(plan.finding,))
    weighty = tuple(finding for finding in plan.findings if finding.level != "pass")
    return HostPlan(
        host.name, role, len(plan.steps), wave, quorum.describe_tolerance(managers), plan.warnings_fingerprint, weighty,
        _packages(plan) if wave else (), not _is_member(plan),
    )  # fmt: skip


def _check_managers(hosts: Sequence[Host], roles: Mapping[str, Role], others: int) -> tuple[Finding, ...]:
    managers = [host for host in hosts if roles[host.name] == "manager"]
    shared = [server for server, number in Counter(host.server for host in managers).items() if server and number > 1]
    findings = []
    number = len(managers) + others
    if number % 2 == 0:
        text = f"{number} managers survive no more failures than {max(number - 1, 0)}"
        findings.append(Finding("managers", "warn", text, 'Set role = "manager" for one more host, or for one fewer.'))
    if shared:
        text = f"more than one manager on {', '.join(shared)}; they would fail together"
        findings.append(Finding("managers", "warn", text, "Place each manager on a different physical server."))
    return tuple(findings)


def _check_versions(plans: Mapping[str, Plan | Refusal]) -> tuple[Finding, ...]:
    """Require one Engine version for all hosts, as mixed versions have broken swarms."""
    targets = Counter(parse_engine_version(plan.target_version) for plan in plans.values() if isinstance(plan, Plan))
    if len(targets) < 2:
        return ()
    text = "apt offers different Engine versions: " + ", ".join(
        f"{name} on {n} host{'s' * (n != 1)}" for name, n in sorted(targets.items())
    )
    return (Finding("engine versions", "block", text, "Set [engine] version to one that apt offers on all hosts."),)
