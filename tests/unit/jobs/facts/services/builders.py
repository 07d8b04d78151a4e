"""Build services, tasks, and nodes for tests."""

from typing import Any

from jobs.facts.services.model import Placement, Resources, Service, Task, TaskNode
from jobs.facts.swarm import Node

GIB = 2**30


def node(name: str, **fields: Any) -> TaskNode:
    """Return an active node with 2 processors and 4 GiB. `fields`: of the TaskNode, or role, state, availability."""
    of_node = {key: fields.pop(key) for key in ("role", "state", "availability") if key in fields}
    values = {"role": "worker", "state": "ready", "availability": "active", **of_node}
    listed = Node(
        f"id-{name}", name, "198.18.0.9", values["role"], values["availability"], values["state"], "", "26.1.5", False
    )  # fmt: skip
    defaults = {"os": "linux", "architecture": "x86_64", "resources": Resources(2 * 10**9, 4 * GIB)}
    return TaskNode(listed, **{**defaults, **fields})


def service(name: str = "web", replicas: int = 2, **fields: Any) -> Service:
    defaults: dict[str, Any] = {"mode": "replicated", "running": replicas, "desired": replicas}
    values = {**defaults, "image": "nginx:1.11", **fields}
    return Service(f"id-{name}", name, replicas=replicas, **values)


def task(on: str = "", slot: int = 1, state: str = "running", **fields: Any) -> Task:
    """Return a task of the service "web". `on`: the node's name."""
    values = {"service": "id-web", "desired_state": "running", "image": "nginx:1.11", **fields}
    number = fields.get("id", f"task-{on}-{slot}-{state}-{fields.get('at', 0)}")
    return Task(**{"id": number, "node": f"id-{on}" if on else "", "slot": slot, "state": state, **values})


def placement(*constraints: str, **fields: Any) -> Placement:
    return Placement(constraints, **fields)
