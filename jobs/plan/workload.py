"""Find what a drain does to a node's service tasks and containers: what moves, what goes down, what stays. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from imker.protocol.values import Finding
from imker.text import truncate
from jobs.facts.containers import Container
from jobs.facts.services.model import Service, ServiceFacts, Task, TaskNode
from jobs.facts.services.placement import find_room, occupies
from jobs.facts.services.reasons import placement_reasons

MAX_LIST = 600  # characters of a list of names


@dataclass(frozen=True)
class Workload:
    """What runs on a node. `containers`: those that belong to no service; None if the host could not be asked."""

    node: str
    facts: ServiceFacts
    containers: tuple[Container, ...] | None = ()

    @property
    def tasks(self) -> tuple[Task, ...]:
        """Return the tasks that run on the node, or start or stop there."""
        return tuple(task for task in self.facts.tasks if task.node == self.node and not task.is_finished)

    @property
    def services(self) -> tuple[tuple[Service, int], ...]:
        """Return the services with tasks on the node that a drain stops, and how many, by name."""
        counts: dict[str, int] = {}
        for task in filter(occupies, self.tasks):
            counts[task.service] = counts.get(task.service, 0) + 1
        ordered = sorted(self.facts.services, key=lambda service: service.name)
        return tuple((service, counts[service.id]) for service in ordered if service.id in counts)


def describe_drain(host: str, workload: Workload) -> str:
    """Return what moves, what stops, and what stays. Global services and jobs are not replaced on another node."""
    moving = [_counted(service, number) for service, number in workload.services if not service.is_global]
    stopping = [service.name for service, _ in workload.services if service.is_global]
    staying = [container.name for container in workload.containers or () if container.running]
    texts = [f"Tasks move to other nodes: {_join(moving)}."] * bool(moving)
    texts += [f"Global services stop on it: {_join(stopping)}."] * bool(stopping)
    texts += ["No service task runs on it."] * (not workload.services)
    texts += [f"Not part of a service, so they keep running: {_join(staying)}."] * bool(staying)
    texts += [f"{host} is unreachable over SSH, so its own containers are unknown."] * (workload.containers is None)
    return " ".join(texts)


def check_drain(host: str, workload: Workload) -> tuple[Finding, ...]:
    """Return the findings on a drain. What a service loses is a warning."""
    findings = (
        _check_last_active(host, workload),
        _check_single_replicas(workload),
        *_check_room(workload),
        _check_local_data(host, workload),
    )
    return tuple(finding for finding in findings if finding is not None)


def _check_last_active(host: str, workload: Workload) -> Finding | None:
    if any(each.takes_tasks for each in workload.facts.nodes if each.node.id != workload.node):
        return None
    text = f"{host} is the last active node: all service tasks stop, and none starts until a node is active"
    return Finding("active nodes", "warn", text, "Activate another node first.")


def _check_single_replicas(workload: Workload) -> Finding | None:
    """Warn of services whose tasks all run here: they are down until one has started on another node."""
    names = [
        service.name
        for service, number in workload.services
        if not service.is_global and number >= _running(service, workload)
    ]
    if not names:
        return None
    text = f"all their tasks run here, so they are down until one has started on another node: {_join(names)}"
    return Finding("single replicas", "warn", text, "To avoid it, scale them up on other nodes first.")


def _running(service: Service, workload: Workload) -> int:
    return sum(task.service == service.id and task.is_running for task in workload.facts.tasks)


def _check_room(workload: Workload) -> list[Finding]:
    """Place the tasks one by one on the other nodes, the largest first. Warn of those that fit nowhere."""
    nodes = tuple(each for each in workload.facts.nodes if each.node.id != workload.node)
    tasks = [task for task in workload.facts.tasks if task.node != workload.node]
    unplaced: dict[str, list[str]] = {}
    for service, number in sorted(workload.services, key=lambda item: -item[0].placement.reserved.memory):
        for _ in range(0 if service.is_global else number):
            room = find_room(service.id, service.placement, nodes, tasks).fitting
            if not room:
                facts = replace(workload.facts, nodes=nodes, tasks=tuple(tasks))
                unplaced.setdefault(service.name, list(placement_reasons(service.id, service.placement, facts)))
                break
            best = max(room, key=lambda each: (each.free.memory, each.free.nano_cpus))
            tasks.append(_task_on(best.node, service))
    return [
        Finding(
            "placement",
            "warn",
            f"{name} does not fit on the other nodes: {'; '.join(reasons)}",
            "Its tasks wait until one fits.",
        )
        for name, reasons in sorted(unplaced.items())
    ]


def _task_on(node: TaskNode, service: Service) -> Task:
    """Return a task as the scheduler would start it there."""
    placement = service.placement
    return Task(
        "planned",
        service.id,
        node.node.id,
        0,
        "running",
        "running",
        reserved=placement.reserved,
        host_ports=placement.host_ports,
    )


def _check_local_data(host: str, workload: Workload) -> Finding | None:
    """Warn of volumes and folders that exist on this node only: a task that moves finds others, or none."""
    items = [f"{service.name} ({_join(service.local_data)})" for service, _ in workload.services if service.local_data]
    if not items:
        return None
    text = f"services with data on {host} only, which does not move with their tasks: {_join(items)}"
    return Finding("local data", "warn", text, "Move the data first, or keep them here with a constraint.")


def _counted(service: Service, number: int) -> str:
    return f"{service.name} ({number} tasks)" if number > 1 else service.name


def _join(names: Iterable[str] | Sequence[str]) -> str:
    return truncate(", ".join(names), MAX_LIST)
