"""Plan the migration of the whole fleet: inspect every host, and plan them in order. Changes nothing."""

from collections.abc import Callable, Mapping, Sequence
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
from jobs.context import JobContext
from jobs.errors import InternalError, JobError
from jobs.facts.classic_swarm import KeyValueStore
from jobs.facts.host import HostFacts
from jobs.facts.own_node import check_machine_ids, find_own_node
from jobs.facts.ports import PortProbe
from jobs.facts.swarm import Node, SwarmFacts
from jobs.gather import key_value_stores, known_swarm
from jobs.gather.fleet import FactsByHost, gather_hosts, probe_ports
from jobs.gather.swarm import EngineQueries
from jobs.handlers import assessment
from jobs.handlers.dispatcher import dispatch
from jobs.inventory.model import Host
from jobs.plan import Plan, Refusal, compute_fingerprint, fleet

GATHER_STEP = StepLine("Gather", "Inspect every host")
PROBE_STEP = StepLine("Probe", "Probe the swarm's ports between the hosts")
Result = TypeVar("Result")


@dispatch.register
def plan_fleet(command: MigrateAll, context: JobContext) -> None:
    """Emit the fleet's plan. Ends with the question whether to start it, a refusal, or nothing to do."""
    context.events.emit(JobStarted())
    for name in command.excluded_hosts:
        context.find_host(name)
    hosts = [host for host in context.inventory.values() if host.name not in command.excluded_hosts]
    context.events.emit(Planned((GATHER_STEP, PROBE_STEP)))
    queries = EngineQueries(context.inventory, context.engine_factory)
    facts = run_step(context, GATHER_STEP, lambda: gather_all(context, hosts, queries))
    swarm = known_swarm.gather_known_swarm(context, queries.answers())
    inspected = {name: item for name, item in facts.items() if isinstance(item, HostFacts)}
    stores_by_host = key_value_stores.find_stores(context, inspected, swarm.memberships)
    roles = fleet.assign_roles(
        hosts, frozenset(stores_by_host), fleet.current_managers(hosts, swarm), fleet.other_managers(hosts, swarm)
    )
    probes = run_step(context, PROBE_STEP, lambda: probe_ports(context, hosts, facts, roles))
    fleet_plan = _arrange(context, hosts, swarm, facts, probes, roles, stores_by_host)
    context.events.emit(fleet_plan)
    _finish(context, fleet_plan)


def run_step(context: JobContext, step: StepLine, work: Callable[[], Result]) -> Result:
    """Do the work of a step, and emit its start and its end."""
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
    blocked = [item.host for item in fleet_plan.host_plans if has_blocking(item.findings)]
    if blocked or has_blocking(fleet_plan.findings):
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


def has_blocking(findings: Sequence[Finding]) -> bool:
    """Return whether a finding blocks the plan."""
    return any(finding.level == "block" for finding in findings)


def gather_all(context: JobContext, hosts: Sequence[Host], queries: EngineQueries) -> FactsByHost:
    """Return the facts of the hosts, and emit each that was inspected."""

    def report_inspected(host: Host) -> None:
        context.events.emit(StepProgress(GATHER_STEP.key, f"inspected {host.name}"))

    return gather_hosts(context, hosts, context.settings.engine, queries.answer, report_inspected)


def _arrange(
    context: JobContext,
    hosts: Sequence[Host],
    swarm: SwarmFacts,
    facts: FactsByHost,
    probes: Sequence[PortProbe],
    roles: Mapping[str, Role],
    stores: Mapping[str, KeyValueStore],
) -> FleetPlanned:
    ordered = fleet.order_hosts(hosts, roles, frozenset(stores), find_leader(hosts, facts, swarm))
    plans: dict[str, Plan | Refusal] = {}
    expected_swarm = swarm
    probes_by_caller: dict[str, list[PortProbe]] = {}
    for probe in probes:
        probes_by_caller.setdefault(probe.caller, []).append(probe)
    for number, host in enumerate(ordered):
        migrating_before = frozenset(other.name for other in ordered[:number])  # by then they no longer use the store
        store = stores.get(host.name)
        plans[host.name] = _plan_host(
            context,
            host,
            facts[host.name],
            expected_swarm,
            roles[host.name],
            store,
            tuple(probes_by_caller.get(host.name, ())),
            migrating_before,
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


def find_leader(hosts: Sequence[Host], facts: FactsByHost, swarm: SwarmFacts) -> str:
    """Return the name of the leader's host, "" if it is none of these."""
    leading = [node for node in swarm.nodes if node.manager_status == "leader"]
    inspected = [(host, item) for host in hosts if isinstance(item := facts[host.name], HostFacts)]
    return next((host.name for host, item in inspected if find_own_node(host, item.membership, leading)), "")
