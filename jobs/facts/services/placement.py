"""Find the nodes on which a service's tasks fit, and why they do not fit on the others. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from jobs.facts.services.constraints import matches_constraint, matches_platform
from jobs.facts.services.model import NO_RESOURCES, Placement, Resources, Service, Task, TaskNode

Obstacle = Literal["", "down", "not active", "constraint", "platform", "memory", "cpu", "port", "max per node"]
UNLIMITED = 10**6  # tasks on a node that nothing limits


@dataclass(frozen=True)
class NodeRoom:
    """How many more tasks fit on a node. `obstacle`: what prevents another one; `detail`: the constraint or port."""

    node: TaskNode
    tasks: int
    obstacle: Obstacle = ""
    detail: str = ""
    free: Resources = NO_RESOURCES


@dataclass(frozen=True)
class Room:
    """Where further tasks fit."""

    nodes: tuple[NodeRoom, ...]

    @property
    def fitting(self) -> tuple[NodeRoom, ...]:
        return tuple(each for each in self.nodes if each.tasks > 0)

    @property
    def tasks(self) -> int:
        """Return how many more tasks fit on all nodes together."""
        return sum(each.tasks for each in self.nodes)


def find_room(service_id: str, placement: Placement, nodes: Iterable[TaskNode], tasks: Sequence[Task]) -> Room:
    """Return where further tasks of a service fit. `tasks`: of all services; `service_id`: "" for a new service."""
    by_node: dict[str, list[Task]] = {}
    for task in tasks:
        if task.node and occupies(task):
            by_node.setdefault(task.node, []).append(task)
    return Room(tuple(_room_on(service_id, placement, node, by_node.get(node.node.id, [])) for node in nodes))


def is_eligible(service: Service, node: TaskNode) -> bool:
    """Return whether the node may have tasks of the service at all, however full it is."""
    return not _fixed_obstacle(service.placement, node)[0]


def occupies(task: Task) -> bool:
    """Return whether the task takes resources of its node."""
    return not task.is_finished and task.desired_state in ("running", "accepted", "ready", "")


def _room_on(service_id: str, placement: Placement, node: TaskNode, tasks: Sequence[Task]) -> NodeRoom:
    used = Resources(sum(t.reserved.nano_cpus for t in tasks), sum(t.reserved.memory for t in tasks))
    free = Resources(node.resources.nano_cpus - used.nano_cpus, node.resources.memory - used.memory)
    obstacle, detail = _fixed_obstacle(placement, node)
    if obstacle:
        return NodeRoom(node, 0, obstacle, detail, free)
    own_count = sum(task.service == service_id for task in tasks)
    limits = _limits(placement, free, own_count, {port for task in tasks for port in task.host_ports})
    number, limit, text = min(limits, key=lambda each: each[0], default=(UNLIMITED, "", ""))
    return NodeRoom(node, number, limit if number == 0 else "", text if number == 0 else "", free)


def _fixed_obstacle(placement: Placement, node: TaskNode) -> tuple[Obstacle, str]:
    """Return what rules the node out whatever runs there."""
    if node.node.state != "ready":
        return "down", node.node.state
    if node.node.availability != "active":
        return "not active", node.node.availability
    for constraint in placement.constraints:
        if not matches_constraint(node, constraint):
            return "constraint", constraint
    return ("", "") if matches_platform(node, placement.platforms) else ("platform", f"{node.os}/{node.architecture}")


def _limits(
    placement: Placement, free: Resources, own_count: int, taken_ports: set[tuple[int, str]]
) -> list[tuple[int, Obstacle, str]]:
    """Return for each limit how many more tasks it allows, what it is, and a detail."""
    limits: list[tuple[int, Obstacle, str]] = []
    if placement.reserved.memory:
        limits.append((max(0, free.memory) // placement.reserved.memory, "memory", ""))
    if placement.reserved.nano_cpus:
        limits.append((max(0, free.nano_cpus) // placement.reserved.nano_cpus, "cpu", ""))
    if placement.max_per_node:
        limits.append((max(0, placement.max_per_node - own_count), "max per node", str(placement.max_per_node)))
    for port in placement.host_ports:
        limits.append((0 if port in taken_ports else 1, "port", f"{port[0]}/{port[1]}"))
    return limits
