"""Place tasks on nodes by constraints, resources, ports, and the number of tasks, as a real scheduler does."""

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from lab.simulated.nodes import MEMORY, NANO_CPUS, PLATFORM, Node
from lab.simulated.services.model import Service, Task, reservations

CONSTRAINT = re.compile(r"\s*([\w.-]+)\s*(==|!=)\s*(.+?)\s*")
EXPLANATIONS = {  # in the order in which a real scheduler names them
    "ready": "{n} {nodes} not available for new tasks",
    "resources": "insufficient resources on {n} {nodes}",
    "constraints": "scheduling constraints not satisfied on {n} {nodes}",
    "platform": "unsupported platform on {n} {nodes}",
    "port": "host-mode port already in use on {n} {nodes}",
    "max": "max replicas per node limit exceed",
}


def is_valid_constraint(text: str) -> bool:
    """Return whether the constraint can be read. One with an unknown key is accepted, and matches no node."""
    return CONSTRAINT.fullmatch(text) is not None


def choose_node(service: Service, nodes: Iterable[Node], tasks: list[Task]) -> tuple[str, str]:
    """Return the ID of the node with the fewest tasks of the service, or "" and why none fits."""
    problems: Counter[str] = Counter()
    fitting: list[tuple[int, int, str]] = []
    for node in nodes:
        here = [task for task in tasks if task.node == node.id and task.is_live and task.desired != "shutdown"]
        problem = _obstacle(service, node, here)
        if problem:
            problems[problem] += 1
        else:
            fitting.append((sum(task.service == service.id for task in here), len(here), node.id))
    if fitting:
        return min(fitting)[2], ""
    return "", f"no suitable node ({_explain(problems)})" if problems else "no suitable node"


def is_eligible(service: Service, node: Node) -> bool:
    """Return whether a global service wants a task on the node."""
    return not _static_obstacle(service, node)


def _obstacle(service: Service, node: Node, here: list[Task]) -> str:
    if problem := _static_obstacle(service, node):
        return problem
    memory, cpus = reservations(service.template)
    used = [reservations(task.template) for task in here]
    if memory + sum(each[0] for each in used) > MEMORY or cpus + sum(each[1] for each in used) > NANO_CPUS:
        return "resources"
    used_ports = {port for task in here for port in task.ports}
    if used_ports & set(service.host_ports):
        return "port"
    limit = int((service.template.get("Placement") or {}).get("MaxReplicas") or 0)
    return "max" if limit and sum(task.service == service.id for task in here) >= limit else ""


def _static_obstacle(service: Service, node: Node) -> str:
    if not node.is_reachable or node.availability != "active":
        return "ready"
    placement = service.template.get("Placement") or {}
    if not all(_matches(node, text) for text in placement.get("Constraints") or ()):
        return "constraints"
    platforms = placement.get("Platforms") or ()
    return "" if not platforms or any(map(_is_platform, platforms)) else "platform"


def _is_platform(platform: dict[str, Any]) -> bool:
    architecture = {"amd64": "x86_64"}.get(platform.get("Architecture", ""), platform.get("Architecture", ""))
    return platform.get("OS", "") in ("", PLATFORM["OS"]) and architecture in ("", PLATFORM["Architecture"])


def _matches(node: Node, text: str) -> bool:
    match = CONSTRAINT.fullmatch(text)
    if match is None:
        return False
    key, operator, expected = match.groups()
    is_label = key.startswith(("node.labels.", "engine.labels."))
    values = {
        "node.id": node.id, "node.hostname": node.hostname, "node.role": node.role, "node.ip": node.address,
        "node.platform.os": PLATFORM["OS"], "node.platform.arch": PLATFORM["Architecture"],
    }  # fmt: skip
    value = node.labels.get(key[12:], "") if key.startswith("node.labels.") else values.get(key.lower(), "")
    is_known = is_label or key.lower() in values
    return is_known and (value.lower() == expected.lower()) is (operator == "==")


def _explain(problems: Counter[str]) -> str:
    parts = [
        text.format(n=problems[name], nodes="node" if problems[name] == 1 else "nodes")
        for name, text in EXPLANATIONS.items()
        if problems[name]
    ]
    return "; ".join(parts)
