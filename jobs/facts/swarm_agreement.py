"""Check that the memberships and node lists of all hosts describe one swarm, with the same managers. Pure.

In: the membership that each host reports, and the node list of each manager. Out: the conflict as a text, or "". The
managers are trusted only if all of these hold:

- Each reports a cluster ID, which is the same for all, and no two report the same node.
- Each lists all of them as managers, at the addresses that the inventory has for them.
- More hosts name one of them as their manager than name only others. So an impostor that answers while the real
  managers are down is contradicted by their workers.
- One of them is known from an earlier query, or the known managers answer and no longer manage the swarm.

A contradiction blocks the swarm for all hosts: an operator has to decide which swarm is the right one.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from jobs.facts.own_node import explain_misplaced, find_duplicates, find_node_elsewhere, find_own_node
from jobs.facts.swarm import Node, SwarmMembership
from jobs.inventory.model import Host, Inventory

LEAVE_HINT = "On the hosts of the swarm that is not yours, run `docker swarm leave --force`"
STATE_REASONS = {  # LocalNodeState -> why a host in a swarm cannot report the swarm
    "locked": "is locked: run `docker swarm unlock` there, with the unlock key",
    "error": "cannot rejoin its swarm: `docker info` there shows why; to leave it, run `docker swarm leave` there",
    "pending": "is still joining, and its manager is unreachable: make it reachable, or run `docker swarm leave` there",
}
Memberships = Mapping[str, SwarmMembership]
NodeLists = Mapping[str, tuple[Node, ...]]


@dataclass(frozen=True)
class KnownSwarm:
    """The swarm at the last query: its cluster ID, and the names of the hosts that managed it."""

    cluster: str = ""
    managers: tuple[str, ...] = ()


def find_conflict(
    hosts: Inventory, memberships: Memberships, lists: NodeLists, last_swarm: KnownSwarm = KnownSwarm()
) -> str:
    """Return the conflict as a text, "" if all agree. `lists`: the node list of each manager, by host name."""
    return next(filter(None, _problems(hosts, memberships, lists, last_swarm)), "")


def _problems(hosts: Inventory, memberships: Memberships, lists: NodeLists, last_swarm: KnownSwarm) -> Iterator[str]:
    managers = {name: membership for name, membership in memberships.items() if membership.is_manager}
    listing = {hosts[name]: managers[name] for name in lists}
    yield _same_node_problem(managers)
    yield _no_cluster_problem(listing)
    yield _address_problem(listing, lists)
    yield _split_problem(listing, lists)
    yield _unlisted_manager_problem(
        {hosts[name]: membership for name, membership in managers.items() if name not in lists}, lists
    )
    yield _outvoted_problem(hosts, memberships, listing)
    yield _replaced_problem(hosts, memberships, listing, last_swarm)


def explain_unreachable(states: Mapping[str, str]) -> str:
    """Return why no manager can report the swarm. `states`: host name -> LocalNodeState of the hosts in the swarm."""
    states_text = [f"{name} {STATE_REASONS[state]}" for name, state in states.items() if state in STATE_REASONS]
    return "; ".join(states_text) or ("only workers are reachable, and only managers can show or change the swarm")


def find_silent_managers(hosts: Inventory, memberships: Memberships, last_swarm: KnownSwarm) -> tuple[str, ...]:
    """Return the hosts that do not answer, and manage the swarm as its other nodes or an earlier query say."""
    named = {address for membership in memberships.values() for _, address in membership.managers}
    return tuple(
        name
        for name, host in hosts.items()
        if name not in memberships and (name in last_swarm.managers or host.advertise_address in named)
    )


# --- conflicts, as texts ----------------------------------------------------------------------------------------------


def _same_node_problem(managers: Memberships) -> str:
    for names in find_duplicates({name: membership.node_id for name, membership in managers.items()}):
        text = f"{_join_names(names)} both report that they manage the swarm as node {managers[names[0]].node_id[:12]}"
        return f"{text}: one is a copy, or is compromised. On that host, run `docker swarm leave --force`"
    return ""


def _no_cluster_problem(listing: Mapping[Host, SwarmMembership]) -> str:
    """Find managers that list nodes but have no cluster ID. Without a leader, a manager has neither."""
    nameless = [host.name for host, membership in listing.items() if not membership.cluster_id]
    if not nameless:
        return ""
    return f"a swarm without a cluster ID on {_join_names(nameless)}. On these hosts, run `docker swarm leave --force`"


def _address_problem(listing: Mapping[Host, SwarmMembership], lists: NodeLists) -> str:
    """Find a manager at another address than the inventory's, if all lists agree on that address."""
    for host, membership in listing.items():
        candidates = [
            (find_own_node(host, membership, nodes), find_node_elsewhere(host, membership, nodes))
            for nodes in lists.values()
        ]
        at = {node.address for _, node in candidates if node}
        if len(at) == 1 and not any(own_node for own_node, _ in candidates):
            return "; ".join(part.rstrip(".") for part in explain_misplaced(host, at.pop()))
    return ""


def _split_problem(listing: Mapping[Host, SwarmMembership], lists: NodeLists) -> str:
    groups = _group_managers(listing, lists)
    unlisted = next(
        (host for host, membership in listing.items() if not _lists_as_manager(lists[host.name], host, membership)),
        None,
    )
    if len(groups) < 2:
        return (
            f"{unlisted.name} reports that it is a manager, but its own node list disagrees. {LEAVE_HINT}"
            if unlisted
            else ""
        )
    swarms = "; ".join(_describe_group(group, listing) for group in groups)
    return f"two swarms: {swarms}. {_describe_missing(listing, lists)}{LEAVE_HINT}"


def _group_managers(listing: Mapping[Host, SwarmMembership], lists: NodeLists) -> list[list[Host]]:
    """Group the managers that all list each other in the same cluster."""
    groups: list[list[Host]] = []
    for host in listing:
        mine = (group for group in groups if all(_agree(host, other, listing, lists) for other in group))
        group = next(mine, None)
        groups.append([host]) if group is None else group.append(host)
    return groups


def _agree(host: Host, other: Host, listing: Mapping[Host, SwarmMembership], lists: NodeLists) -> bool:
    same = listing[host].cluster_id == listing[other].cluster_id
    mutual = (
        _lists_as_manager(lists[host.name], other, listing[other]),
        _lists_as_manager(lists[other.name], host, listing[host]),
    )
    return same and all(mutual)


def _lists_as_manager(nodes: Iterable[Node], host: Host, membership: SwarmMembership) -> bool:
    """Return whether the list contains the host as a manager, at its address."""
    node = find_own_node(host, membership, nodes)
    return node is not None and node.role == "manager"


def _describe_group(hosts: Sequence[Host], listing: Mapping[Host, SwarmMembership]) -> str:
    return f"{_join_names([host.name for host in hosts])} in {listing[hosts[0]].cluster_id}"


def _describe_missing(listing: Mapping[Host, SwarmMembership], lists: NodeLists) -> str:
    pairs = [(host, other) for host in listing for other in listing if host != other]
    missing = [
        f"{a.name} does not list {b.name}" for a, b in pairs if not _lists_as_manager(lists[a.name], b, listing[b])
    ]
    return f"As a manager at its address, {'; '.join(missing)}. " if missing else ""


def _unlisted_manager_problem(without_list: Mapping[Host, SwarmMembership], lists: NodeLists) -> str:
    """Find a manager without a node list (as without a leader) that the other managers' lists do not contain."""
    for host, membership in without_list.items():
        against = [name for name, nodes in lists.items() if not _lists_as_manager(nodes, host, membership)]
        if against:
            lists_text = f"the node list of {_join_names(against)}"
            return f"two swarms: {host.name} reports that it is a manager, but {lists_text} disagrees. {LEAVE_HINT}"
    return ""


def _outvoted_problem(hosts: Inventory, memberships: Memberships, listing: Mapping[Host, SwarmMembership]) -> str:
    """Find managers that at least half of the other hosts contradict, counting the managers that workers name."""
    if not listing:
        return ""
    workers = {
        name: membership
        for name, membership in memberships.items()
        if membership.managers and not membership.is_manager
    }
    against = {name: membership for name, membership in workers.items() if not _names_a_manager(membership, listing)}
    if len(against) < len(listing) + len(workers) - len(against):
        return ""
    at = {host.advertise_address: name for name, host in hosts.items()}
    others = sorted({at.get(address, address) for membership in against.values() for _, address in membership.managers})
    first = f"one managed by {_join_names([host.name for host in listing])}"
    second = f"one of {_join_names(list(against))}, managed by {_join_names(others)}"
    return f"two swarms: {first}; {second}. {LEAVE_HINT}"


def _names_a_manager(worker: SwarmMembership, listing: Mapping[Host, SwarmMembership]) -> bool:
    return any(
        address == host.advertise_address and node in ("", membership.node_id)
        for node, address in worker.managers
        for host, membership in listing.items()
    )


def _replaced_problem(
    hosts: Inventory, memberships: Memberships, listing: Mapping[Host, SwarmMembership], last_swarm: KnownSwarm
) -> str:
    """Find a swarm without any known manager while a known manager is unreachable."""
    is_known = any(
        host.name in last_swarm.managers and membership.cluster_id == last_swarm.cluster
        for host, membership in listing.items()
    )
    down = [name for name in last_swarm.managers if name in hosts and name not in memberships]
    if not listing or is_known or not down:
        return ""
    text = f"unknown manager: {_describe_group(list(listing), listing)}. Known but unreachable: {_join_names(down)}"
    todo = "Make the unreachable hosts reachable or, if they no longer exist, remove them from imker.toml"
    return f"{text} in {last_swarm.cluster}. {todo}"


def _join_names(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
