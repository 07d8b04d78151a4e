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

from jobs.facts import Node, SwarmPlace
from jobs.inventory import Host, Inventory
from jobs.own_node import duplicates, elsewhere, misplaced, own_node

LEAVE = "Which is yours? On the hosts of the other: docker swarm leave --force"
WITHOUT = {  # LocalNodeState -> why a host that is in a swarm does not show it
    "locked": "is locked: give it the swarm's key there, docker swarm unlock",
    "error": "cannot go on in its swarm, as when its certificate has ended (docker info); or there: docker swarm leave",
    "pending": "is still joining, and its manager does not answer: bring that back; or there: docker swarm leave",
}
Places = Mapping[str, SwarmPlace]
Lists = Mapping[str, tuple[Node, ...]]


@dataclass(frozen=True)
class Known:
    """The swarm as it was last asked: its ID, and the hosts that managed it."""

    cluster: str = ""
    managers: tuple[str, ...] = ()


def disagreement(hosts: Inventory, places: Places, lists: Lists, known: Known = Known()) -> str:
    """Return why no manager may be asked, "" if they agree. `lists`: the nodes, by whoever says it manages them."""
    return next(filter(None, _problems(hosts, places, lists, known)), "")


def _problems(hosts: Inventory, places: Places, lists: Lists, known: Known) -> Iterator[str]:
    managers = {name: place for name, place in places.items() if place.manager}
    listing = {hosts[name]: managers[name] for name in lists}
    yield _one_node(managers)
    yield _without_cluster(listing)
    yield _misplaced(listing, lists)
    yield _apart(listing, lists)
    yield _strangers({hosts[name]: place for name, place in managers.items() if name not in lists}, lists)
    yield _outvoted(hosts, places, listing)
    yield _replaced(hosts, places, listing, known)


def without_manager(inside: Mapping[str, str]) -> str:
    """`inside`: host -> LocalNodeState. There is a swarm: nobody is to start a second because this one cannot speak."""
    told = [f"{name} {WITHOUT[state]}" for name, state in inside.items() if state in WITHOUT]
    return "; ".join(told) or (
        "only workers answer: this node is not a swarm manager, and only managers can show or change the swarm"
    )


# --- what is wrong, in words ------------------------------------------------------------------------------------------


def _one_node(managers: Places) -> str:
    for names in duplicates({name: place.node for name, place in managers.items()}):
        said = f"{_and(names)} both say they manage the swarm as node {managers[names[0]].node[:12]}"
        return f"{said}: one is a copy of the other, or was taken over. On that one: docker swarm leave --force"
    return ""


def _without_cluster(listing: Mapping[Host, SwarmPlace]) -> str:
    """A manager without a leader names no cluster, and lists no nodes either."""
    nameless = [host.name for host, place in listing.items() if not place.cluster]
    if not nameless:
        return ""
    return f"a swarm without a cluster ID, by the word of {_and(nameless)}. There: docker swarm leave --force"


def _misplaced(listing: Mapping[Host, SwarmPlace], lists: Lists) -> str:
    """Only where all lists agree: else the address is somebody's claim."""
    for host, place in listing.items():
        found = [(own_node(host, place, nodes), elsewhere(host, place, nodes)) for nodes in lists.values()]
        at = {node.address for _, node in found if node}
        if len(at) == 1 and not any(own for own, _ in found):
            return "; ".join(part.rstrip(".") for part in misplaced(host, at.pop()))
    return ""


def _apart(listing: Mapping[Host, SwarmPlace], lists: Lists) -> str:
    groups = _groups(listing, lists)
    alone = next((host for host, place in listing.items() if not _lists(lists[host.name], host, place)), None)
    if len(groups) < 2:
        return f"{alone.name} says it manages a swarm, and is not in its own list of it. {LEAVE}" if alone else ""
    return f"two swarms: {'; '.join(_group(group, listing) for group in groups)}. {_strange(listing, lists)}{LEAVE}"


def _groups(listing: Mapping[Host, SwarmPlace], lists: Lists) -> list[list[Host]]:
    """Those are in one group who all list each other in one cluster."""
    groups: list[list[Host]] = []
    for host in listing:
        mine = (group for group in groups if all(_agree(host, other, listing, lists) for other in group))
        group = next(mine, None)
        groups.append([host]) if group is None else group.append(host)
    return groups


def _agree(one: Host, other: Host, listing: Mapping[Host, SwarmPlace], lists: Lists) -> bool:
    same = listing[one].cluster == listing[other].cluster
    mutual = (_lists(lists[one.name], other, listing[other]), _lists(lists[other.name], one, listing[one]))
    return same and all(mutual)


def _lists(nodes: Iterable[Node], host: Host, place: SwarmPlace) -> bool:
    """Tell whether a list has that host as a manager, at its address."""
    node = own_node(host, place, nodes)
    return node is not None and node.role == "manager"


def _group(hosts: Sequence[Host], listing: Mapping[Host, SwarmPlace]) -> str:
    return f"{_and([host.name for host in hosts])} in {listing[hosts[0]].cluster}"


def _strange(listing: Mapping[Host, SwarmPlace], lists: Lists) -> str:
    pairs = [(one, other) for one in listing for other in listing if one != other]
    said = [f"{a.name} does not list {b.name}" for a, b in pairs if not _lists(lists[a.name], b, listing[b])]
    return f"As a manager at its address, {'; '.join(said)}. " if said else ""


def _strangers(unheard: Mapping[Host, SwarmPlace], lists: Lists) -> str:
    """Managers that list nothing, as without a leader, are known to those that do."""
    for host, place in unheard.items():
        against = [name for name, nodes in lists.items() if not _lists(nodes, host, place)]
        if against:
            return f"two swarms: {host.name} says it manages one, but not by the list of {_and(against)}. {LEAVE}"
    return ""


def _outvoted(hosts: Inventory, places: Places, listing: Mapping[Host, SwarmPlace]) -> str:
    """Workers name their managers. As many against as for it are enough: one host's word is no majority."""
    if not listing:
        return ""
    workers = {name: place for name, place in places.items() if place.remotes and not place.manager}
    against = {name: place for name, place in workers.items() if not _names(place, listing)}
    if len(against) < len(listing) + len(workers) - len(against):
        return ""
    at = {host.advertise_address: name for name, host in hosts.items()}
    others = sorted({at.get(address, address) for place in against.values() for _, address in place.remotes})
    said = f"one that {_and([host.name for host in listing])} would manage"
    return f"two swarms: {said}; one of {_and(list(against))}, with {_and(others)} as manager. {LEAVE}"


def _names(worker: SwarmPlace, listing: Mapping[Host, SwarmPlace]) -> bool:
    return any(
        address == host.advertise_address and node in ("", place.node)
        for node, address in worker.remotes
        for host, place in listing.items()
    )


def _replaced(hosts: Inventory, places: Places, listing: Mapping[Host, SwarmPlace], known: Known) -> str:
    """Return what is wrong where no known manager is among those that list nodes, and one does not answer."""
    goes_on = any(host.name in known.managers and place.cluster == known.cluster for host, place in listing.items())
    down = [name for name in known.managers if name in hosts and name not in places]
    if not listing or goes_on or not down:
        return ""
    said = f"unknown manager: {_group(list(listing), listing)}. Known, and without an answer: {_and(down)}"
    todo = "Bring back what does not answer; or, if it is gone for good, take it out of imker.toml"
    return f"{said} in {known.cluster}. {todo}"


def _and(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
