"""Upgrade one node of the swarm, or plan the upgrade of all of them, one at a time."""

from dataclasses import replace

from imker.protocol.commands import Role
from imker.protocol.events import DecisionRequested, JobFinished, JobStarted, Planned
from imker.protocol.node_commands import Upgrade, UpgradeAll
from jobs.checks.api_clients import ApiClient
from jobs.context import JobContext
from jobs.errors import JobError
from jobs.facts.host import HostFacts
from jobs.facts.swarm import SwarmFacts
from jobs.gather import known_swarm
from jobs.gather.fleet import FactsByHost
from jobs.gather.services import read_services
from jobs.gather.swarm import EngineQueries
from jobs.handlers import assessment, fleet, migrate
from jobs.handlers.assessment import Assessment, assess_host
from jobs.handlers.dispatcher import dispatch
from jobs.inventory.model import Host
from jobs.plan import Plan, Refusal, compute_fingerprint, effective_role
from jobs.plan.fleet import order_hosts
from jobs.plan.upgrade import arrange_upgrade, nodes_of_inventory, refuse_unreachable, upgrade_plan


@dispatch.register
def upgrade_node(command: Upgrade, context: JobContext) -> None:
    """Drain a node, upgrade its Engine, and give it its former availability again."""
    upgrading = _with_version(context, command.version)

    def assess(host: Host) -> Assessment:
        assessed = assess_host(upgrading, host, None)
        return replace(assessed, plan=upgrade_plan(host, assessed.plan))

    migrate.run_migration(upgrading, command.host, command.text, assess)


@dispatch.register
def plan_upgrade(command: UpgradeAll, context: JobContext) -> None:
    """Emit the plan of all nodes. Ends with the question whether to start it, a refusal, or nothing to do."""
    context.events.emit(JobStarted())
    upgrading = _with_version(context, command.version)
    context.events.emit(Planned((fleet.GATHER_STEP,)))
    queries = EngineQueries(context.inventory, context.engine_factory)
    swarm = known_swarm.gather_settled_swarm(context, queries.answers())
    if refusal := _refuse_swarm(swarm):
        return context.report_refusal(refusal)
    hosts = nodes_of_inventory(context.inventory.values(), swarm)
    facts = fleet.run_step(context, fleet.GATHER_STEP, lambda: fleet.gather_all(upgrading, hosts, queries))
    roles = {host.name: _role_of(host, facts, swarm) for host in hosts}
    ordered = order_hosts(hosts, roles, frozenset(), fleet.find_leader(hosts, facts, swarm))
    plans = {host.name: _plan_host(upgrading, host, facts, swarm, roles[host.name]) for host in ordered}
    pause = context.settings.fleet.pause
    fleet_plan = arrange_upgrade(ordered, roles, plans, swarm, _api_clients(context, swarm), pause)
    context.events.emit(fleet_plan)
    if not fleet_plan.host_plans:
        text = f"nothing to do: all {len(hosts)} nodes run the target Engine"
        return context.events.emit(JobFinished("unchanged", text))
    blocked = [item.host for item in fleet_plan.host_plans if fleet.has_blocking(item.findings)]
    if blocked or fleet.has_blocking(fleet_plan.findings):
        summary = f"blocking findings for {', '.join(blocked) or 'the swarm'}"
        return context.events.emit(JobFinished("refused", summary, "Nothing was changed.", "Fix the findings."))
    return context.events.emit(DecisionRequested("start_fleet", compute_fingerprint(fleet_plan)))


def _with_version(context: JobContext, version: str) -> JobContext:
    """Return the context with the command's version in place of the configured one."""
    if not version:
        return context
    engine = context.settings.engine.model_copy(update={"version": version})
    return replace(context, settings=context.settings.model_copy(update={"engine": engine}))


def _refuse_swarm(swarm: SwarmFacts) -> Refusal | None:
    if swarm.problem:
        return Refusal(f"the state of the swarm is unclear: {swarm.problem}")
    return None if swarm.exists else Refusal("there is no swarm that answers", "Migrate hosts into it first.")


def _role_of(host: Host, facts: FactsByHost, swarm: SwarmFacts) -> Role:
    item = facts[host.name]
    return effective_role(host, item, swarm) if isinstance(item, HostFacts) else "worker"


def _plan_host(context: JobContext, host: Host, facts: FactsByHost, swarm: SwarmFacts, role: Role) -> Plan | Refusal:
    item = facts[host.name]
    if isinstance(item, JobError):
        return refuse_unreachable(host, Refusal(item.summary, item.hint, item.check, item.next_commands))
    return upgrade_plan(host, assessment.build_plan(context, host, item, swarm, role))


def _api_clients(context: JobContext, swarm: SwarmFacts) -> tuple[ApiClient, ...]:
    """Return the services that use the Docker socket."""
    services = read_services(context, swarm.managers, lambda service: False).services
    return tuple(ApiClient(service.name, service.image) for service in services if service.mounts_docker_socket)
