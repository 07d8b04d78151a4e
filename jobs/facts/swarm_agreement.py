"""Decide whether what the hosts say of their swarms is true of one swarm, and who manages it. Pure.

In: each host's own word on its place, and the nodes that those list who say they manage. Out: what is wrong, in words,
or "". The hosts that say they manage are asked only if

- each names its cluster, which is the same for all, and no two of them name one node;
- each one's list has all of them as managers, at the addresses that the inventory has for them;
- more hosts name one of them as their manager than name only others: an impostor that answers while the true managers
  are down is contradicted by their workers;
- one of them is known from an earlier look; or those that are known answer, and manage the swarm no more.

One that contradicts the others stops all of them: a person has to say which swarm is the right one.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from jobs.facts.own_node import explain_misplaced, find_duplicates, find_node_elsewhere, find_own_node
from jobs.facts.swarm import Node, SwarmMembership
from jobs.inventory.model import Host, Inventory

LEAVE_HINT = "Which is yours? On the hosts of the other: docker swarm leave --force"
STATE_REASONS = {  # LocalNodeState -> why a host that is in a swarm does not show it
    "locked": "is locked: give it the swarm's key there, docker swarm unlock",
    "error": "cannot go on in its swarm, as when its certificate has ended (docker info); or there: docker swarm leave",
    "pending": "is still joining, and its manager does not answer: bring that back; or there: docker swarm leave",
}
Memberships = Mapping[str, SwarmMembership]
NodeLists = Mapping[str, tuple[Node, ...]]


@dataclass(frozen=True)
class KnownSwarm:
    """The swarm as it was last asked: its ID, and the hosts that managed it."""

    cluster: str = ""
    managers: tuple[str, ...] = ()


def find_conflict(hosts: Inventory, places: Memberships, lists: NodeLists, known: KnownSwarm = KnownSwarm()) -> str:
    """Return why no manager may be asked, "" if they agree. `lists`: the nodes, by whoever says it manages them."""
    return next(filter(None, _problems(hosts, places, lists, known)), "")


def _problems(hosts: Inventory, places: Memberships, lists: NodeLists, known: KnownSwarm) -> Iterator[str]:
    managers = {name: place for name, place in places.items() if place.is_manager}
    listing = {hosts[name]: managers[name] for name in lists}
    yield _same_node_problem(managers)
    yield _no_cluster_problem(listing)
    yield _address_problem(listing, lists)
    yield _split_problem(listing, lists)
    yield _unlisted_manager_problem(
        {hosts[name]: place for name, place in managers.items() if name not in lists}, lists
    )
    yield _outvoted_problem(hosts, places, listing)
    yield _replaced_problem(hosts, places, listing, known)


def explain_unreachable(states: Mapping[str, str]) -> str:
    """`inside`: host -> LocalNodeState. There is a swarm: nobody is to start a second because this one cannot speak."""
    states_text = [f"{name} {STATE_REASONS[state]}" for name, state in states.items() if state in STATE_REASONS]
    return "; ".join(states_text) or (
        "only workers answer: this node is not a swarm manager, and only managers can show or change the swarm"
    )


# --- what is wrong, in words ------------------------------------------------------------------------------------------


def _same_node_problem(managers: Memberships) -> str:
    for names in find_duplicates({name: place.node_id for name, place in managers.items()}):
        said = f"{_join_names(names)} both say they manage the swarm as node {managers[names[0]].node_id[:12]}"
        return f"{said}: one is a copy of the other, or was taken over. On that one: docker swarm leave --force"
    return ""


def _no_cluster_problem(listing: Mapping[Host, SwarmMembership]) -> str:
    """A manager without a leader names no cluster, and lists no nodes either."""
    nameless = [host.name for host, place in listing.items() if not place.cluster_id]
    if not nameless:
        return ""
    return f"a swarm without a cluster ID, by the word of {_join_names(nameless)}. There: docker swarm leave --force"


def _address_problem(listing: Mapping[Host, SwarmMembership], lists: NodeLists) -> str:
    """Only where all lists agree: else the address is somebody's claim."""
    for host, place in listing.items():
        found = [
            (find_own_node(host, place, nodes), find_node_elsewhere(host, place, nodes)) for nodes in lists.values()
        ]
        at = {node.address for _, node in found if node}
        if len(at) == 1 and not any(own for own, _ in found):
            return "; ".join(part.rstrip(".") for part in explain_misplaced(host, at.pop()))
    return ""


def _split_problem(listing: Mapping[Host, SwarmMembership], lists: NodeLists) -> str:
    groups = _group_managers(listing, lists)
    alone = next(
        (host for host, place in listing.items() if not _lists_as_manager(lists[host.name], host, place)), None
    )
    if len(groups) < 2:
        return f"{alone.name} says it manages a swarm, and is not in its own list of it. {LEAVE_HINT}" if alone else ""
    return f"two swarms: {'; '.join(_describe_group(group, listing) for group in groups)}. {_describe_missing(listing, lists)}{LEAVE_HINT}"


def _group_managers(listing: Mapping[Host, SwarmMembership], lists: NodeLists) -> list[list[Host]]:
    """Those are in one group who all list each other in one cluster."""
    groups: list[list[Host]] = []
    for host in listing:
        mine = (group for group in groups if all(_agree(host, other, listing, lists) for other in group))
        group = next(mine, None)
        groups.append([host]) if group is None else group.append(host)
    return groups


def _agree(one: Host, other: Host, listing: Mapping[Host, SwarmMembership], lists: NodeLists) -> bool:
    same = listing[one].cluster_id == listing[other].cluster_id
    mutual = (
        _lists_as_manager(lists[one.name], other, listing[other]),
        _lists_as_manager(lists[other.name], one, listing[one]),
    )
    return same and all(mutual)


def _lists_as_manager(nodes: Iterable[Node], host: Host, place: SwarmMembership) -> bool:
    """Tell whether a list has that host as a manager, at its address."""
    node = find_own_node(host, place, nodes)
    return node is not None and node.role == "manager"


def _describe_group(hosts: Sequence[Host], listing: Mapping[Host, SwarmMembership]) -> str:
    return f"{_join_names([host.name for host in hosts])} in {listing[hosts[0]].cluster_id}"


def _describe_missing(listing: Mapping[Host, SwarmMembership], lists: NodeLists) -> str:
    pairs = [(one, other) for one in listing for other in listing if one != other]
    said = [f"{a.name} does not list {b.name}" for a, b in pairs if not _lists_as_manager(lists[a.name], b, listing[b])]
    return f"As a manager at its address, {'; '.join(said)}. " if said else ""


def _unlisted_manager_problem(unheard: Mapping[Host, SwarmMembership], lists: NodeLists) -> str:
    """Managers that list nothing, as without a leader, are known to those that do."""
    for host, place in unheard.items():
        against = [name for name, nodes in lists.items() if not _lists_as_manager(nodes, host, place)]
        if against:
            return f"two swarms: {host.name} says it manages one, but not by the list of {_join_names(against)}. {LEAVE_HINT}"
    return ""


def _outvoted_problem(hosts: Inventory, places: Memberships, listing: Mapping[Host, SwarmMembership]) -> str:
    """Workers name their managers. As many against as for it are enough: one host's word is no majority."""
    if not listing:
        return ""
    workers = {name: place for name, place in places.items() if place.managers and not place.is_manager}
    against = {name: place for name, place in workers.items() if not _names_a_manager(place, listing)}
    if len(against) < len(listing) + len(workers) - len(against):
        return ""
    at = {host.advertise_address: name for name, host in hosts.items()}
    others = sorted({at.get(address, address) for place in against.values() for _, address in place.managers})
    said = f"one that {_join_names([host.name for host in listing])} would manage"
    return (
        f"two swarms: {said}; one of {_join_names(list(against))}, with {_join_names(others)} as manager. {LEAVE_HINT}"
    )


def _names_a_manager(worker: SwarmMembership, listing: Mapping[Host, SwarmMembership]) -> bool:
    return any(
        address == host.advertise_address and node in ("", place.node_id)
        for node, address in worker.managers
        for host, place in listing.items()
    )


def _replaced_problem(
    hosts: Inventory, places: Memberships, listing: Mapping[Host, SwarmMembership], known: KnownSwarm
) -> str:
    """Return what is wrong where no known manager is among those that list nodes, and one does not answer."""
    goes_on = any(host.name in known.managers and place.cluster_id == known.cluster for host, place in listing.items())
    down = [name for name in known.managers if name in hosts and name not in places]
    if not listing or goes_on or not down:
        return ""
    said = (
        f"unknown manager: {_describe_group(list(listing), listing)}. Known, and without an answer: {_join_names(down)}"
    )
    todo = "Bring back what does not answer; or, if it is gone for good, take it out of imker.toml"
    return f"{said} in {known.cluster}. {todo}"


def _join_names(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
