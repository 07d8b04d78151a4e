"""Match a host with its own node in the swarm. Pure."""

from collections.abc import Iterable, Mapping

from imker.protocol.values import Finding
from jobs.facts.host import HostFacts
from jobs.facts.swarm import Node, SwarmFacts, SwarmMembership
from jobs.inventory.model import Host, Inventory

NEW_IDENTITY_HINT = (
    "`systemctl stop docker; rm -f /etc/docker/key.json /var/lib/docker/engine-id; systemctl start docker`"
)


def find_own_node(host: Host, membership: SwarmMembership, nodes: Iterable[Node]) -> Node | None:
    """Return the host's node: the managers list it at the host's address, and the host reports the same ID."""
    return next((node for node in nodes if node.id == membership.node_id and is_node_at(host, node)), None)


def is_node_at(host: Host, node: Node) -> bool:
    return bool(node.address) and node.address == host.advertise_address


def hosts_at(node: Node, inventory: Inventory) -> tuple[Host, ...]:
    """Return the hosts at a node's address. If it is not exactly one, an operator has to decide."""
    return tuple(host for host in inventory.values() if is_node_at(host, node))


def find_node_elsewhere(host: Host, membership: SwarmMembership, nodes: Iterable[Node]) -> Node | None:
    """Return the node whose ID the host reports, if the managers list it at another address."""
    return next((node for node in nodes if node.id == membership.node_id and not is_node_at(host, node)), None)


def find_identity_problem(host: Host, membership: SwarmMembership, swarm: SwarmFacts) -> Finding | None:
    """Return a blocking finding if another host has the same IDs or the node has another address, else None."""
    claims = {**swarm.memberships, host.name: membership}
    if twins := _hosts_sharing(host.name, {name: claim.node_id for name, claim in claims.items()}):
        return _node_id_finding(host, membership, twins)
    if twins := _hosts_sharing(host.name, {name: claim.engine_id for name, claim in claims.items()}):
        return _engine_id_finding(host, twins)
    node = find_node_elsewhere(host, membership, swarm.nodes)
    return _node_address_finding(host, node) if node else None


def find_node_mismatch(host: Host, membership: SwarmMembership, node: Node, swarm: SwarmFacts) -> Finding | None:
    """Return a blocking finding if a node at the host's address does not belong to the host, else None."""
    if membership.node_id == node.id:
        return find_identity_problem(host, membership, swarm)
    report = f"reports node {membership.node_id[:12]}" if membership.node_id else "reports that it is in no swarm"
    text = f"the managers list node {node.id[:12]} at {host.name}'s address, but {host.name} {report}"
    hint = f"If that node no longer exists, run `docker node rm --force {node.id[:12]}` on a manager"
    return Finding("node ID", "block", text, hint)


def check_machine_ids(machine_ids: Mapping[str, str]) -> tuple[Finding, ...]:
    """Return a blocking finding for each machine ID that several hosts share. `machine_ids`: by host name."""
    hint = "On each copy, run `rm /etc/machine-id; systemd-machine-id-setup`, and reboot. Or skip them: `--without`."
    return tuple(
        Finding(
            "machine ID", "block", f"{', '.join(names)} have the same machine ID: they are copies of one disk", hint
        )
        for names in find_duplicates(machine_ids)
    )


def find_duplicates(ids: Mapping[str, str]) -> tuple[tuple[str, ...], ...]:
    """Return the groups of hosts that share an ID. `ids`: by host name, "" for none."""
    groups = {value: tuple(name for name, other in ids.items() if other == value) for value in ids.values() if value}
    return tuple(names for names in groups.values() if len(names) > 1)


def explain_misplaced(host: Host, address: str) -> tuple[str, str]:
    """Return text and hint for a host whose node has another address in the managers' list, "" for none yet."""
    if not address:
        return f"the managers have no address for {host.name}'s node yet", "Try again in a minute."
    wrong = f"the managers list {host.name}'s node at {address}, not at {host.advertise_address}"
    line = f'[hosts.{host.name}] swarm_address = "{address}"'
    hint = f"If {host.name} uses {address} for swarm traffic, add to imker.toml: `{line}`"
    return wrong, f"{hint} If another machine has it, {host.name} reports that machine's node: {_leave_hint(host.name)}"


def _node_address_finding(host: Host, node: Node) -> Finding:
    wrong, hint = explain_misplaced(host, node.address)
    return Finding("node address", "block", f"{host.name} reports node {node.id[:12]}, but {wrong}", hint)


def _node_id_finding(host: Host, membership: SwarmMembership, twins: tuple[str, ...]) -> Finding:
    text = f"{host.name} and {', '.join(twins)} both report node {membership.node_id[:12]}"
    hint = "One is a copy of the other's disk, or is compromised. On the copy, run `docker swarm leave --force`"
    return Finding("node ID", "block", text, f"{hint}, then {NEW_IDENTITY_HINT}")


def _engine_id_finding(host: Host, twins: tuple[str, ...]) -> Finding:
    text = f"{host.name} and {', '.join(twins)} have the same Engine ID: one is a copy of the other's disk"
    return Finding("Engine ID", "block", text, f"On the copy, run {NEW_IDENTITY_HINT}")


def _leave_hint(name: str) -> str:
    return f"on {name}, run `docker swarm leave --force`."


def _hosts_sharing(name: str, ids: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of the other hosts that have this host's ID."""
    own_id = ids[name]
    return tuple(other for other in ids if own_id and other != name and ids[other] == own_id)


def is_manager(host: Host, facts: HostFacts, swarm: SwarmFacts) -> bool:
    node = find_own_node(host, facts.membership, swarm.nodes)
    return bool(node and node.role == "manager")
