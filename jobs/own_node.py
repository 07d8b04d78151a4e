"""Decide which node of the swarm is which host's: the one that the managers see at that host's address. Pure.

In: a host, its own word on its place, the nodes that the managers list. Out: its node, or why it has none. A host's own
word is never enough: a host that was taken over, or the copy of a disk, names another host's node.
"""

from collections.abc import Iterable, Mapping

from jobs.contract import Finding
from jobs.facts import Node, SwarmFacts, SwarmPlace
from jobs.inventory import Host, Inventory

FRESH = "systemctl stop docker; rm -f /etc/docker/key.json /var/lib/docker/engine-id; systemctl start docker"


def own_node(host: Host, place: SwarmPlace, nodes: Iterable[Node]) -> Node | None:
    """Return the host's node: the managers see it at the host's address, and the host names the same ID."""
    return next((node for node in nodes if node.id == place.node and is_at(host, node)), None)


def is_at(host: Host, node: Node) -> bool:
    return bool(node.address) and node.address == host.advertise_address


def hosts_at(node: Node, inventory: Inventory) -> tuple[Host, ...]:
    """Return the hosts at a node's address: one, or a person has to say which."""
    return tuple(host for host in inventory.values() if is_at(host, node))


def elsewhere(host: Host, place: SwarmPlace, nodes: Iterable[Node]) -> Node | None:
    """Return the node that the host says it is, if the managers see it at another address."""
    return next((node for node in nodes if node.id == place.node and not is_at(host, node)), None)


def objection(host: Host, place: SwarmPlace, swarm: SwarmFacts) -> Finding | None:
    """Return why nothing may be done to the host: another host has its IDs, or its node is elsewhere."""
    claims = {**swarm.places, host.name: place}
    if twins := _sharing(host.name, {name: seen.node for name, seen in claims.items()}):
        return _one_node(host, place, twins)
    if twins := _sharing(host.name, {name: seen.engine for name, seen in claims.items()}):
        return _one_engine(host, twins)
    node = elsewhere(host, place, swarm.nodes)
    return _misplaced(host, node) if node else None


def not_its(host: Host, place: SwarmPlace, node: Node, swarm: SwarmFacts) -> Finding | None:
    """Return why a node that is seen at the host's address is not the host's: it, or another host, says otherwise."""
    if place.node == node.id:
        return objection(host, place, swarm)
    says = f"says it is node {place.node[:12]}" if place.node else "says it is in no swarm"
    text = f"node {node.id[:12]} is seen at {host.name}'s address, and {host.name} {says}"
    hint = f"If the node is gone for good, on a manager: docker node rm --force {node.id[:12]}"
    return Finding("node ID", "block", text, hint)


def copies(machine_ids: Mapping[str, str]) -> tuple[Finding, ...]:
    """Return a finding for hosts with one machine ID. `machine_ids`: by host."""
    hint = "On each copy: rm /etc/machine-id; systemd-machine-id-setup; then a reboot. Or leave them out: --without."
    return tuple(
        Finding("machine ID", "block", f"{', '.join(names)} have the same machine ID: copies of one disk", hint)
        for names in duplicates(machine_ids)
    )


def duplicates(ids: Mapping[str, str]) -> tuple[tuple[str, ...], ...]:
    """Return the groups of hosts that have one ID. `ids`: by host; "" is none."""
    groups = {value: tuple(name for name, other in ids.items() if other == value) for value in ids.values() if value}
    return tuple(names for names in groups.values() if len(names) > 1)


def misplaced(host: Host, seen_at: str) -> tuple[str, str]:
    """Return what is wrong and what to do where the managers see a host's node at another address than its own."""
    if not seen_at:
        return f"the managers have no address of {host.name}'s node yet", "Ask again in a minute."
    wrong = f"the managers see {host.name}'s node at {seen_at}, not at {host.advertise_address}"
    line = f'[hosts.{host.name}] swarm_address = "{seen_at}"'
    hint = f"If {seen_at} is {host.name}'s own address for swarm traffic, add to imker.toml: {line}"
    return wrong, f"{hint} If it is another machine's, {host.name} names that machine's node: {_leave(host.name)}"


def _misplaced(host: Host, node: Node) -> Finding:
    wrong, hint = misplaced(host, node.address)
    return Finding("node address", "block", f"{host.name} says it is node {node.id[:12]}, and {wrong}", hint)


def _one_node(host: Host, place: SwarmPlace, twins: tuple[str, ...]) -> Finding:
    text = f"{host.name} and {', '.join(twins)} both say they are node {place.node[:12]}"
    hint = "One is a copy of the other's disk, or was taken over. On the copy: docker swarm leave --force"
    return Finding("node ID", "block", text, f"{hint}; {FRESH}")


def _one_engine(host: Host, twins: tuple[str, ...]) -> Finding:
    text = f"{host.name} and {', '.join(twins)} have the same Engine ID: one is a copy of the other's disk"
    return Finding("Engine ID", "block", text, f"On the copy: {FRESH}")


def _leave(name: str) -> str:
    return f"on {name}, docker swarm leave --force."


def _sharing(name: str, ids: Mapping[str, str]) -> tuple[str, ...]:
    """Return the other hosts that have this host's ID."""
    own = ids[name]
    return tuple(other for other in ids if own and other != name and ids[other] == own)
