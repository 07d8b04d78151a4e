"""Plan the migration of the whole fleet: inspect every host, and plan them in order. Changes nothing."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from typing import TypeVar

from imker.protocol.commands import MigrateAll, Role
from imker.protocol.events import (
    DecisionRequested,
    FleetPlanned,
    JobFinished,
    JobStarted,
    Planned,
    StepDone,
    StepFailed,
    StepProgress,
    StepStarted,
)
from imker.protocol.next_command import NextCommand
from imker.protocol.values import Finding, StepLine
from jobs.connectors.shell import Shell
from jobs.context import JobContext
from jobs.errors import InternalError, JobError
from jobs.facts.classic_swarm import KeyValueStore
from jobs.facts.host import HostFacts
from jobs.facts.own_node import check_machine_ids, find_own_node
from jobs.facts.ports import PortProbe
from jobs.facts.swarm import Node, SwarmFacts
from jobs.gather import key_value_stores, known_swarm, ports
from jobs.gather.host import gather_host
from jobs.handlers import assessment
from jobs.handlers.dispatcher import dispatch
from jobs.inventory.model import Host
from jobs.plan import Plan, Refusal, compute_fingerprint, fleet

MAX_PARALLEL_HOSTS = 8  # hosts inspected at the same time
GATHER_STEP = StepLine("Gather", "Inspect every host")
PROBE_STEP = StepLine("Probe", "Probe the swarm's ports between the hosts")
FactsByHost = Mapping[str, HostFacts | JobError]
Result = TypeVar("Result")


@dispatch.register
def plan_fleet(command: MigrateAll, context: JobContext) -> None:
    """Emit the fleet's plan. Ends with the question whether to start it, a refusal, or nothing to do."""
    context.events.emit(JobStarted())
    for name in command.excluded_hosts:
        context.find_host(name)
    hosts = [host for host in context.inventory.values() if host.name not in command.excluded_hosts]
    context.events.emit(Planned((GATHER_STEP, PROBE_STEP)))
    swarm = known_swarm.gather_known_swarm(context)
    facts = _run_step(context, GATHER_STEP, lambda: _gather_all(context, hosts))
    stores_by_host = _find_stores(context, hosts, facts)
    roles = fleet.assign_roles(
        hosts, frozenset(stores_by_host), fleet.current_managers(hosts, swarm), fleet.other_managers(hosts, swarm)
    )
    probes = _run_step(context, PROBE_STEP, lambda: _probe_ports(context, hosts, facts, roles))
    fleet_plan = _arrange(context, hosts, swarm, facts, probes, roles, stores_by_host)
    context.events.emit(fleet_plan)
    _finish(context, fleet_plan)


def _run_step(context: JobContext, step: StepLine, work: Callable[[], Result]) -> Result:
    context.events.emit(StepStarted(step.key))
    try:
        result = work()
    except Exception as error:
        summary = error.summary if isinstance(error, JobError) else InternalError("").summary
        context.events.emit(StepFailed(step.key, summary))
        raise
    context.events.emit(StepDone(step.key))
    return result


def _finish(context: JobContext, fleet_plan: FleetPlanned) -> None:
    blocked = [item.host for item in fleet_plan.host_plans if _has_blocking(item.findings)]
    if blocked or _has_blocking(fleet_plan.findings):
        summary = f"blocking findings for {', '.join(blocked) or 'the fleet'}"
        without = NextCommand(MigrateAll(tuple(blocked)), "leave these hosts out instead")
        return context.events.emit(
            JobFinished(
                "refused",
                summary,
                "Nothing was changed.",
                "Fix the findings.",
                next_commands=(without,) if blocked else (),
            )
        )
    if not fleet_plan.host_plans:
        return context.events.emit(
            JobFinished("unchanged", f"nothing to do: all {len(fleet_plan.done_hosts)} hosts are in the swarm")
        )
    return context.events.emit(DecisionRequested("start_fleet", compute_fingerprint(fleet_plan)))


def _has_blocking(findings: Sequence[Finding]) -> bool:
    return any(finding.level == "block" for finding in findings)


def _gather_all(context: JobContext, hosts: Sequence[Host]) -> FactsByHost:
    def gather_one(host: Host) -> HostFacts | JobError:
        try:
            with context.open_shell(host) as shell:
                return gather_host(shell, host, context.settings.engine, context.engine_factory)
        except JobError as error:
            return error
        finally:
            context.events.emit(StepProgress(GATHER_STEP.key, f"inspected {host.name}"))

    with ThreadPoolExecutor(MAX_PARALLEL_HOSTS) as pool:
        return dict(zip((host.name for host in hosts), pool.map(gather_one, hosts), strict=True))


def _probe_ports(
    context: JobContext, hosts: Sequence[Host], facts: FactsByHost, roles: Mapping[str, Role]
) -> Sequence[PortProbe]:
    """Probe the ports from each host to each planned manager and to its neighbour in the list.

    Probing all pairs of a large fleet would take hours. Hosts that are in a swarm need no probe.
    """
    outside = [host for host in hosts if _not_in_swarm(facts[host.name])]
    managers = [host for host in outside if roles[host.name] == "manager"]
    with ExitStack() as stack, ThreadPoolExecutor(MAX_PARALLEL_HOSTS) as pool:
        shells_or_errors = list(pool.map(lambda host: _open_shell(context, stack, host), outside))
        shells = [shell for shell in shells_or_errors if not isinstance(shell, JobError)]
        unreachable = {shell.host: shell.summary for shell in shells_or_errors if isinstance(shell, JobError)}
        listeners = stack.enter_context(ports.PortListeners(shells, unreachable))
        targets = {host.name: _probe_targets(number, outside, managers) for number, host in enumerate(outside)}
        probes_by_shell = pool.map(lambda shell: listeners.probe(shell, targets[shell.host]), shells)
        return [probe for probes in probes_by_shell for probe in probes]


def _open_shell(context: JobContext, stack: ExitStack, host: Host) -> Shell | JobError:
    try:
        return stack.enter_context(context.open_shell(host))
    except JobError as error:
        return error


def _not_in_swarm(facts: HostFacts | JobError) -> bool:
    return isinstance(facts, HostFacts) and facts.membership.state != "active"


def _probe_targets(number: int, hosts: Sequence[Host], managers: Sequence[Host]) -> dict[str, str]:
    host_itself, neighbour = hosts[number], hosts[(number + 1) % len(hosts)]
    candidates = hosts if host_itself in managers else (*managers, neighbour)
    return {host.name: host.advertise_address for host in candidates if host != host_itself}


def _arrange(
    context: JobContext,
    hosts: Sequence[Host],
    swarm: SwarmFacts,
    facts: FactsByHost,
    probes: Sequence[PortProbe],
    roles: Mapping[str, Role],
    stores: Mapping[str, KeyValueStore],
) -> FleetPlanned:
    ordered = fleet.order_hosts(hosts, roles, frozenset(stores), _find_leader(hosts, facts, swarm))
    plans: dict[str, Plan | Refusal] = {}
    expected_swarm = swarm
    for number, host in enumerate(ordered):
        own_probes = tuple(probe for probe in probes if probe.caller == host.name)
        migrating_before = frozenset(other.name for other in ordered[:number])  # by then they no longer use the store
        store = stores.get(host.name)
        plans[host.name] = _plan_host(
            context, host, facts[host.name], expected_swarm, roles[host.name], store, own_probes, migrating_before
        )
        expected_swarm = _with_new_swarm(expected_swarm, host, plans[host.name])
    fleet_plan = fleet.arrange_fleet(ordered, roles, plans, swarm, frozenset(stores), context.settings.fleet.parallel)
    return replace(fleet_plan, findings=(*fleet_plan.findings, *check_machine_ids(_machine_ids(facts))))


def _machine_ids(facts: FactsByHost) -> dict[str, str]:
    environments = {name: item.environment for name, item in facts.items() if isinstance(item, HostFacts)}
    return {name: environment.machine_id for name, environment in environments.items() if environment}


def _plan_host(
    context: JobContext,
    host: Host,
    facts: HostFacts | JobError,
    swarm: SwarmFacts,
    role: Role,
    store: KeyValueStore | None,
    probes: tuple[PortProbe, ...],
    migrating_before: frozenset[str],
) -> Plan | Refusal:
    if isinstance(facts, JobError):
        return Refusal(facts.summary, facts.hint, facts.check, facts.next_commands)
    return assessment.build_plan(
        context, host, facts, swarm, role, store=store, probes=probes, migrating_before=migrating_before
    )


def _with_new_swarm(swarm: SwarmFacts, host: Host, plan: Plan | Refusal) -> SwarmFacts:
    """Return the swarm as the first manager will initialize it, so that the later hosts are planned to join it."""
    if swarm.exists or swarm.problem or isinstance(plan, Refusal):
        return swarm
    address = host.advertise_address
    first = Node("-", host.name, address, "manager", "active", "ready", "leader", plan.target_version, False)
    return replace(swarm, answered_by=host.name, nodes=(first,), managers=(host.name,))


def _find_stores(context: JobContext, hosts: Sequence[Host], facts: FactsByHost) -> dict[str, KeyValueStore]:
    """Return the key-value store on each host, with its users among all hosts of the inventory."""
    gathered = {name: item for name, item in facts.items() if isinstance(item, HostFacts)}
    stores = (
        (host.name, key_value_stores.find_store(context, host, gathered[host.name].containers, gathered))
        for host in hosts
        if host.name in gathered
    )
    return {name: store for name, store in stores if store}


def _find_leader(hosts: Sequence[Host], facts: FactsByHost, swarm: SwarmFacts) -> str:
    leading = [node for node in swarm.nodes if node.manager_status == "leader"]
    inspected = [(host, item) for host in hosts if isinstance(item := facts[host.name], HostFacts)]
    return next((host.name for host, item in inspected if find_own_node(host, item.membership, leading)), "")
