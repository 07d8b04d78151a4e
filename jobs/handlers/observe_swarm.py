"""Look at the swarm for the watch: nodes and services, as the managers report them."""

import time
from collections.abc import Iterator

import structlog
from pydantic import TypeAdapter

from imker.protocol.events import JobFinished, NodeTable
from imker.protocol.observation import Observation, ObservedNode, ServiceProblem
from imker.protocol.version import OBSERVATION_KEY
from imker.protocol.watch_commands import ObserveSwarm
from imker.text import one_line
from jobs.context import JobContext
from jobs.errors import JobError
from jobs.facts.own_node import hosts_at
from jobs.facts.services.model import ServiceFacts
from jobs.facts.services.reasons import explain_service
from jobs.facts.swarm import Node, SwarmFacts
from jobs.gather.services import find_managers, read_services
from jobs.handlers.dispatcher import dispatch
from jobs.handlers.nodes import node_table, problem_of, save_table
from jobs.inventory.model import Inventory

log = structlog.get_logger()
MAX_REASON = 300  # characters of why tasks do not run
_OBSERVATION_ADAPTER: TypeAdapter[Observation] = TypeAdapter(Observation)


@dispatch.register
def observe_swarm(_: ObserveSwarm, context: JobContext) -> None:
    """Save the observation, and the node table with it."""
    swarm = find_managers(context)
    table = node_table(swarm)
    if table:
        save_table(context, table)
        observation = _observe(context, swarm, table)
    else:
        observation = Observation(time.time(), problem=problem_of(swarm))
    context.events.save_signed(OBSERVATION_KEY, _OBSERVATION_ADAPTER.dump_json(observation).decode())
    context.events.emit(JobFinished("done", f"{len(observation.nodes)} nodes"))


def _observe(context: JobContext, swarm: SwarmFacts, table: NodeTable) -> Observation:
    nodes = tuple(
        ObservedNode(row, _host_of(node, context.inventory)) for row, node in zip(table.rows, swarm.nodes, strict=True)
    )
    services = _read_services(context, swarm)
    problems = tuple(_service_problems(services)) if services else ()
    count = len(services.services) if services else None
    return Observation(table.taken_at, table.answered_by, nodes, services=count, service_problems=problems)


def _read_services(context: JobContext, swarm: SwarmFacts) -> ServiceFacts | None:
    """Return the services, None if no manager lists them now."""
    try:
        return read_services(context, swarm.managers)
    except JobError as error:
        log.info("could not read the services", reason=error.summary)
        return None


def _service_problems(facts: ServiceFacts) -> Iterator[ServiceProblem]:
    """Yield the services with fewer running tasks than they should have, and the most frequent reason."""
    for service in facts.services:
        if service.running < service.desired and not service.is_job:
            reasons = [why.text for why in explain_service(service, facts)]
            reason = one_line(next(iter(reasons), ""), MAX_REASON)
            yield ServiceProblem(service.name, service.running, service.desired, reason, service.is_updating)


def _host_of(node: Node, inventory: Inventory) -> str:
    """Return the host at the node's address, "" if it is not exactly one."""
    hosts = hosts_at(node, inventory)
    return hosts[0].name if len(hosts) == 1 else ""
