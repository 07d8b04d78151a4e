"""Decide whether a node meets a placement constraint, as the swarm's scheduler does. Pure."""

import ipaddress
import re
from contextlib import suppress

from jobs.facts.services.model import TaskNode

EXPRESSION = re.compile(r"\s*([a-zA-Z0-9_.-]+)\s*(==|!=)\s*(\S.*?)\s*")
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}  # the kernel's names -> Docker's


def is_valid_constraint(text: str) -> bool:
    """Return whether the scheduler can read the constraint: "node.role==worker", "node.labels.zone!=a", and so on."""
    match = EXPRESSION.fullmatch(text)
    return bool(match) and _value("", match[1]) is not None if match else False


def matches_constraint(node: TaskNode, text: str) -> bool:
    """Return whether the node meets the constraint. A constraint that cannot be read matches no node."""
    match = EXPRESSION.fullmatch(text)
    if match is None:
        return False
    key, operator, expected = match.groups()
    if key.lower() == "node.ip":
        return _matches_address(node.node.address, expected) is (operator == "==")
    value = _value(node, key)
    return value is not None and (value.lower() == expected.lower()) is (operator == "==")


def matches_platform(node: TaskNode, platforms: tuple[tuple[str, str], ...]) -> bool:
    """Return whether the node has one of the platforms. An empty part of a platform matches every node."""
    return not platforms or any(
        (not os or os.lower() == node.os.lower())
        and (not architecture or _normal(architecture) == _normal(node.architecture))
        for os, architecture in platforms
    )


def _value(node: TaskNode | str, key: str) -> str | None:
    """Return the node's value of a key, None for an unknown key. `node`: "" to check the key only."""
    prefix, label = key[: len("node.labels.")].lower(), key[len("node.labels.") :]
    if prefix == "node.labels." and label:
        return node.labels.get(label, "") if isinstance(node, TaskNode) else ""
    prefix, label = key[: len("engine.labels.")].lower(), key[len("engine.labels.") :]
    if prefix == "engine.labels." and label:
        return node.engine_labels.get(label, "") if isinstance(node, TaskNode) else ""
    return _fields(node).get(key.lower())


def _fields(node: TaskNode | str) -> dict[str, str]:
    keys = ("node.id", "node.hostname", "node.ip", "node.role", "node.platform.os", "node.platform.arch")
    if isinstance(node, str):
        return dict.fromkeys(keys, "")
    each = node.node
    return dict(zip(keys, (each.id, each.hostname, each.address, each.role, node.os, node.architecture), strict=True))


def _matches_address(address: str, expected: str) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(address) in ipaddress.ip_network(expected, strict=False)
    return False


def _normal(architecture: str) -> str:
    return ARCHITECTURES.get(architecture.lower(), architecture.lower())
