"""Looks who names a key-value store of the classic Swarm, and whether anybody still needs it. Changes nothing."""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain

from jobs.context import JobContext
from jobs.errors import JobError
from jobs.facts import classic_swarm
from jobs.facts.classic_swarm import KeyValueStore, StoreReferences
from jobs.facts.containers import Container
from jobs.facts.host import HostFacts
from jobs.facts.swarm import SwarmMembership, parse_membership
from jobs.gather.host import read_containers
from jobs.gather.options import read_options
from jobs.inventory.model import Host

MAX_PARALLEL_HOSTS = 16  # hosts looked at


@dataclass(frozen=True)
class UnusedStore:
    """A store that nobody needs. `inside`: whether its host is in swarm mode; else its own migration stops it."""

    host: Host
    store: KeyValueStore
    in_swarm: bool


def find_store(
    context: JobContext, host: Host, containers: tuple[Container, ...], gathered: Mapping[str, HostFacts] | None = None
) -> KeyValueStore | None:
    """The store among this host's containers. `known`: hosts that were looked at a moment ago."""
    urls = (url for other in context.inventory.values() for url in (*other.store_urls, *other.former_store_urls))
    if not classic_swarm.may_run_store(host, containers, urls):
        return None
    return classic_swarm.match_store(host, containers, collect_references(context, gathered or {}))


def collect_references(context: JobContext, gathered: Mapping[str, HostFacts]) -> tuple[StoreReferences, ...]:
    hosts = context.inventory.values()
    with ThreadPoolExecutor(MAX_PARALLEL_HOSTS) as pool:
        return tuple(pool.map(lambda host: _read_references(context, host, gathered.get(host.name)), hosts))


def find_unused_store(
    context: JobContext, near_host: Host, containers: tuple[Container, ...], urls: Iterable[str]
) -> UnusedStore | None:
    """A store that nobody needs any more: among the containers of the host `near`, or where one of its URLs points."""
    own_store = find_store(context, near_host, containers)
    store_urls = tuple(urls)
    others = (
        host
        for host in context.inventory.values()
        if host != near_host and classic_swarm.ports_at_host(store_urls, host)
    )
    candidates = ((host, _find_store_on(context, host)) for host in others if not _is_needed(context, host))
    idle = ((host, store) for host, store in chain([(near_host, own_store)], candidates) if store and not store.users)
    return next(
        (UnusedStore(host, store, _ask_membership(context, host).state == "active") for host, store in idle), None
    )


def _is_needed(context: JobContext, host: Host) -> bool:
    """What docker-machine and the Engines tell: less than all, and soon."""
    members = [other for other in context.inventory.values() if classic_swarm.ports_at_host(other.store_urls, host)]
    with ThreadPoolExecutor(MAX_PARALLEL_HOSTS) as pool:
        return not all(pool.map(lambda other: _ask_membership(context, other).state == "active", members))


def _find_store_on(context: JobContext, host: Host) -> KeyValueStore | None:
    try:
        with context.open_shell(host) as shell:
            return find_store(context, host, read_containers(shell))
    except JobError:
        return None


def _read_references(context: JobContext, host: Host, gathered: HostFacts | None) -> StoreReferences:
    if gathered:
        return classic_swarm.find_references(host, gathered)
    node_state = _ask_membership(context, host)
    if host.machine_config and node_state.state == "active":
        return classic_swarm.find_references(host, HostFacts(host.name, membership=node_state))
    try:
        with context.open_shell(host) as shell:
            options, containers = read_options(shell), read_containers(shell)
    except JobError:
        return StoreReferences(
            host.name, host.store_urls, host.former_store_urls, unreachable=host.machine_config is None
        )
    return classic_swarm.find_references(
        host, HostFacts(host.name, options=options, containers=containers, membership=node_state)
    )


def _ask_membership(context: JobContext, host: Host) -> SwarmMembership:
    try:
        return parse_membership(context.engine_factory(host).info())
    except JobError:
        return SwarmMembership()
