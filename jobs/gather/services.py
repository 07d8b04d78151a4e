"""Read the swarm's services, tasks, and nodes from one of its managers, with a short timeout. Read-only."""

from collections.abc import Callable, Collection
from dataclasses import replace

from jobs.connectors.engine import Engine
from jobs.errors import EngineRefused, JobError, Unreachable
from jobs.facts.services import parse
from jobs.facts.services.model import Service, ServiceFacts, Task
from jobs.facts.swarm import SwarmFacts
from jobs.gather.connections import Connections, SwarmConnections
from jobs.gather.known_swarm import gather_known_swarm, gather_managers
from jobs.gather.swarm import ask_engines

FIRST, ALL = 1.0, 3.5  # seconds for the known managers, and then for all hosts
READ_TIMEOUT = 5.0  # seconds for each query for services or tasks
TASKS_AT_ONCE = 100  # services whose tasks one query asks for


def find_managers(connections: SwarmConnections) -> SwarmFacts:
    """Return the swarm as the managers report it, the known ones first. Without a manager, its `managers` are ()."""
    swarm = gather_managers(connections, FIRST)
    if swarm.answered_by:
        return swarm
    return gather_known_swarm(connections, ask_engines(connections.inventory, connections.engine_factory, ALL))


def read_services(
    connections: Connections,
    managers: Collection[str],
    wants_tasks: Callable[[Service], bool] = lambda service: not service.is_healthy,
) -> ServiceFacts:
    """Return all services, all running tasks if any service needs a reason, and all nodes.

    `managers`: names of the hosts to ask, best first; `wants_tasks`: whose tasks are read with their history. Raises
    Unreachable if no manager answers.
    """
    failures: list[JobError] = []
    for name in managers:
        try:
            return read_from(connections.engine_factory(connections.inventory[name], timeout=READ_TIMEOUT), wants_tasks)
        except (Unreachable, EngineRefused) as error:
            failures.append(error)
    last = f": {failures[-1].summary}" if failures else ""
    raise Unreachable(f"no manager lists the services (tried: {', '.join(managers) or 'none'}){last}")


def read_from(engine: Engine, wants_tasks: Callable[[Service], bool]) -> ServiceFacts:
    """Return what one manager reports. See `read_services`."""
    services = tuple(map(parse.parse_service, engine.services()))
    nodes = tuple(map(parse.parse_task_node, engine.nodes()))
    uncounted = any(service.running < 0 for service in services)
    service_ids = [service.id for service in services if wants_tasks(service)]
    running = _tasks(engine, {"desired-state": ["running"]}) if service_ids or uncounted else ()
    if uncounted:  # an Engine before 20.10 does not count
        services = tuple(_count(service, running) for service in services)
        service_ids = [service.id for service in services if wants_tasks(service)]
    with_history = {task.id: task for task in running}
    for first in range(0, len(service_ids), TASKS_AT_ONCE):
        tasks = _tasks(engine, {"service": service_ids[first : first + TASKS_AT_ONCE]})
        with_history.update({task.id: task for task in tasks})
    return ServiceFacts(engine.host.name, services, tuple(with_history.values()), nodes)


def read_one(engine: Engine, name: str) -> ServiceFacts:
    """Return one service with its tasks and all nodes; no service if there is none. `name`: the full name."""
    matches = [service for service in map(parse.parse_service, engine.services(name)) if service.name == name]
    nodes = tuple(map(parse.parse_task_node, engine.nodes()))
    tasks = {task.id: task for service in matches for task in _tasks(engine, {"service": [service.id]})}
    is_waiting = any(not task.node and not task.is_finished for task in tasks.values())
    if is_waiting or any(service.running < 0 for service in matches):
        tasks = {**{task.id: task for task in _tasks(engine, {"desired-state": ["running"]})}, **tasks}
    counted = tuple(_count(each, tuple(tasks.values())) if each.running < 0 else each for each in matches)
    return ServiceFacts(engine.host.name, counted, tuple(tasks.values()), nodes)


def _tasks(engine: Engine, filters: dict[str, list[str]]) -> tuple[Task, ...]:
    return tuple(map(parse.parse_task, engine.service_tasks(filters)))


def _count(service: Service, running: tuple[Task, ...]) -> Service:
    own_tasks = [task for task in running if task.service == service.id]
    desired = len(own_tasks) if service.replicas is None else service.replicas
    return replace(service, running=sum(task.is_running for task in own_tasks), desired=desired)
