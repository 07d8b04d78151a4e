"""A host's own node in the swarm. Pure."""

from collections.abc import Iterable, Mapping

from imker.protocol.values import Finding
from jobs.facts.host import HostFacts
from jobs.facts.swarm import Node, SwarmFacts, SwarmMembership
from jobs.inventory.model import Host, Inventory

NEW_IDENTITY_HINT = (
    "systemctl stop docker; rm -f /etc/docker/key.json /var/lib/docker/engine-id; systemctl start docker"
)


def find_own_node(host: Host, membership: SwarmMembership, nodes: Iterable[Node]) -> Node | None:
    """Return the host's node: the managers see it at the host's address, and the host names the same ID."""
    return next((node for node in nodes if node.id == membership.node_id and is_node_at(host, node)), None)


def is_node_at(host: Host, node: Node) -> bool:
    return bool(node.address) and node.address == host.advertise_address


def hosts_at(node: Node, inventory: Inventory) -> tuple[Host, ...]:
    """Return the hosts at a node's address: one, or a person has to say which."""
    return tuple(host for host in inventory.values() if is_node_at(host, node))


def find_node_elsewhere(host: Host, membership: SwarmMembership, nodes: Iterable[Node]) -> Node | None:
    """Return the node that the host says it is, if the managers see it at another address."""
    return next((node for node in nodes if node.id == membership.node_id and not is_node_at(host, node)), None)


def find_identity_problem(host: Host, membership: SwarmMembership, swarm: SwarmFacts) -> Finding | None:
    """Return why nothing may be done to the host: another host has its IDs, or its node is elsewhere."""
    claims = {**swarm.memberships, host.name: membership}
    if twins := _hosts_sharing(host.name, {name: seen.node_id for name, seen in claims.items()}):
        return _node_id_finding(host, membership, twins)
    if twins := _hosts_sharing(host.name, {name: seen.engine_id for name, seen in claims.items()}):
        return _engine_id_finding(host, twins)
    node = find_node_elsewhere(host, membership, swarm.nodes)
    return _node_address_finding(host, node) if node else None


def not_its(host: Host, place: SwarmMembership, node: Node, swarm: SwarmFacts) -> Finding | None:
    """Return why a node that is seen at the host's address is not the host's: it, or another host, says otherwise."""
    if place.node_id == node.id:
        return find_identity_problem(host, place, swarm)
    says = f"says it is node {place.node_id[:12]}" if place.node_id else "says it is in no swarm"
    text = f"node {node.id[:12]} is seen at {host.name}'s address, and {host.name} {says}"
    hint = f"If the node is gone for good, on a manager: docker node rm --force {node.id[:12]}"
    return Finding("node ID", "block", text, hint)


def check_machine_ids(machine_ids: Mapping[str, str]) -> tuple[Finding, ...]:
    """Return a finding for hosts with one machine ID. `machine_ids`: by host."""
    hint = "On each copy: rm /etc/machine-id; systemd-machine-id-setup; then a reboot. Or leave them out: --without."
    return tuple(
        Finding("machine ID", "block", f"{', '.join(names)} have the same machine ID: copies of one disk", hint)
        for names in find_duplicates(machine_ids)
    )


def find_duplicates(ids: Mapping[str, str]) -> tuple[tuple[str, ...], ...]:
    """Return the groups of hosts that have one ID. `ids`: by host; "" is none."""
    groups = {value: tuple(name for name, other in ids.items() if other == value) for value in ids.values() if value}
    return tuple(names for names in groups.values() if len(names) > 1)


def explain_misplaced(host: Host, address: str) -> tuple[str, str]:
    """Return what is wrong and what to do where the managers see a host's node at another address than its own."""
    if not address:
        return f"the managers have no address of {host.name}'s node yet", "Ask again in a minute."
    wrong = f"the managers see {host.name}'s node at {address}, not at {host.advertise_address}"
    line = f'[hosts.{host.name}] swarm_address = "{address}"'
    hint = f"If {address} is {host.name}'s own address for swarm traffic, add to imker.toml: {line}"
    return wrong, f"{hint} If it is another machine's, {host.name} names that machine's node: {_leave_hint(host.name)}"


def _node_address_finding(host: Host, node: Node) -> Finding:
    wrong, hint = explain_misplaced(host, node.address)
    return Finding("node address", "block", f"{host.name} says it is node {node.id[:12]}, and {wrong}", hint)


def _node_id_finding(host: Host, membership: SwarmMembership, twins: tuple[str, ...]) -> Finding:
    text = f"{host.name} and {', '.join(twins)} both say they are node {membership.node_id[:12]}"
    hint = "One is a copy of the other's disk, or was taken over. On the copy: docker swarm leave --force"
    return Finding("node ID", "block", text, f"{hint}; {NEW_IDENTITY_HINT}")


def _engine_id_finding(host: Host, twins: tuple[str, ...]) -> Finding:
    text = f"{host.name} and {', '.join(twins)} have the same Engine ID: one is a copy of the other's disk"
    return Finding("Engine ID", "block", text, f"On the copy: {NEW_IDENTITY_HINT}")


def _leave_hint(name: str) -> str:
    return f"on {name}, docker swarm leave --force."


def _hosts_sharing(name: str, ids: Mapping[str, str]) -> tuple[str, ...]:
    """Return the other hosts that have this host's ID."""
    own = ids[name]
    return tuple(other for other in ids if own and other != name and ids[other] == own)


def is_manager(host: Host, facts: HostFacts, swarm: SwarmFacts) -> bool:
    node = find_own_node(host, facts.membership, swarm.nodes)
    return bool(node and node.role == "manager")
