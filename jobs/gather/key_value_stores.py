"""Find the key-value store of the classic Swarm, the hosts that refer to it, and stores that are unused. Read-only."""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain

from jobs.errors import JobError
from jobs.facts import classic_swarm
from jobs.facts.classic_swarm import KeyValueStore, StoreReferences
from jobs.facts.containers import Container
from jobs.facts.host import HostFacts
from jobs.facts.swarm import SwarmMembership, parse_membership
from jobs.gather.connections import Connections
from jobs.gather.host import read_containers, read_options_and_containers
from jobs.inventory.model import Host

MAX_PARALLEL_HOSTS = 16  # hosts inspected at the same time


@dataclass(frozen=True)
class UnusedStore:
    """A store that no host uses. When `in_swarm` is false, the host's own migration stops the store."""

    host: Host
    store: KeyValueStore
    in_swarm: bool


def find_store(connections: Connections, host: Host, containers: tuple[Container, ...]) -> KeyValueStore | None:
    """Return the store among this host's containers. Ask all hosts for their references to it."""
    if not _may_run_store(connections, host, containers):
        return None
    return classic_swarm.match_store(host, containers, collect_references(connections, {}, None))


def find_stores(
    connections: Connections, gathered: Mapping[str, HostFacts], memberships: Mapping[str, SwarmMembership]
) -> dict[str, KeyValueStore]:
    """Return the store on each host that was inspected a moment ago, with its users among all hosts of the inventory.

    `memberships`: as the hosts reported them a moment ago. Other hosts are asked for their references over SSH.
    """
    containers_by_host = {
        connections.inventory[name]: facts.containers
        for name, facts in gathered.items()
        if _may_run_store(connections, connections.inventory[name], facts.containers)
    }
    references = collect_references(connections, gathered, memberships) if containers_by_host else ()
    stores = ((host, classic_swarm.match_store(host, items, references)) for host, items in containers_by_host.items())
    return {host.name: store for host, store in stores if store}


def collect_references(
    connections: Connections,
    gathered: Mapping[str, HostFacts],
    memberships: Mapping[str, SwarmMembership] | None,
) -> tuple[StoreReferences, ...]:
    """Return the stores that each host of the inventory refers to. `memberships` None: ask the Engines."""

    def read_references(host: Host) -> StoreReferences:
        if facts := gathered.get(host.name):
            return classic_swarm.find_references(host, facts)
        membership = None if memberships is None else memberships.get(host.name, SwarmMembership())
        return _read_references(connections, host, membership or _ask_membership(connections, host))

    with ThreadPoolExecutor(MAX_PARALLEL_HOSTS) as pool:
        return tuple(pool.map(read_references, connections.inventory.values()))


def _may_run_store(connections: Connections, host: Host, containers: tuple[Container, ...]) -> bool:
    urls = (url for other in connections.inventory.values() for url in (*other.store_urls, *other.former_store_urls))
    return classic_swarm.may_run_store(host, containers, urls)


def find_unused_store(
    connections: Connections, near_host: Host, containers: tuple[Container, ...], urls: Iterable[str]
) -> UnusedStore | None:
    """Return a store that no host uses: among `containers` of `near_host`, or at a host that one of `urls` names."""
    own_store = find_store(connections, near_host, containers)
    store_urls = tuple(urls)
    others = (
        host
        for host in connections.inventory.values()
        if host != near_host and classic_swarm.ports_at_host(store_urls, host)
    )
    candidates = ((host, _find_store_on(connections, host)) for host in others if not _is_needed(connections, host))
    unused = ((host, store) for host, store in chain([(near_host, own_store)], candidates) if store and not store.users)
    return next(
        (UnusedStore(host, store, _ask_membership(connections, host).state == "active") for host, store in unused), None
    )


def _is_needed(connections: Connections, host: Host) -> bool:
    """Return whether a host that names this store is not in swarm mode yet. Quick: reads no option files over SSH."""
    members = [other for other in connections.inventory.values() if classic_swarm.ports_at_host(other.store_urls, host)]
    with ThreadPoolExecutor(MAX_PARALLEL_HOSTS) as pool:
        return not all(pool.map(lambda other: _ask_membership(connections, other).state == "active", members))


def _find_store_on(connections: Connections, host: Host) -> KeyValueStore | None:
    try:
        with connections.open_shell(host) as shell:
            return find_store(connections, host, read_containers(shell))
    except JobError:
        return None


def _read_references(connections: Connections, host: Host, membership: SwarmMembership) -> StoreReferences:
    if host.machine_config and membership.state == "active":
        return classic_swarm.find_references(host, HostFacts(host.name, membership=membership))
    try:
        with connections.open_shell(host) as shell:
            options, containers = read_options_and_containers(shell)
    except JobError:
        return StoreReferences(
            host.name, host.store_urls, host.former_store_urls, unreachable=host.machine_config is None
        )
    return classic_swarm.find_references(
        host, HostFacts(host.name, options=options, containers=containers, membership=membership)
    )


def _ask_membership(connections: Connections, host: Host) -> SwarmMembership:
    try:
        return parse_membership(connections.connect_unless_silent(host).info())
    except JobError:
        return SwarmMembership()
