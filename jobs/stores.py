"""Looks who names a key-value store of the classic Swarm, and whether anybody still needs it. Changes nothing."""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain

from jobs import classic, gather
from jobs.classic import Naming, Store
from jobs.errors import JobError
from jobs.facts import Container, HostFacts, SwarmPlace, place
from jobs.inventory import Host
from jobs.office import Office

AT_ONCE = 16  # hosts looked at


@dataclass(frozen=True)
class Idle:
    """A store that nobody needs. `inside`: whether its host is in swarm mode; else its own migration stops it."""

    host: Host
    store: Store
    inside: bool


def find(
    office: Office, host: Host, containers: tuple[Container, ...], known: Mapping[str, HostFacts] | None = None
) -> Store | None:
    """The store among this host's containers. `known`: hosts that were looked at a moment ago."""
    urls = (url for other in office.inventory.values() for url in (*other.stores, *other.former_stores))
    if not classic.suspects(host, containers, urls):
        return None
    return classic.store(host, containers, namings(office, known or {}))


def namings(office: Office, known: Mapping[str, HostFacts]) -> tuple[Naming, ...]:
    hosts = office.inventory.values()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return tuple(pool.map(lambda host: _naming(office, host, known.get(host.name)), hosts))


def idle(office: Office, near: Host, containers: tuple[Container, ...], urls: Iterable[str]) -> Idle | None:
    """A store that nobody needs any more: among the containers of the host `near`, or where one of its URLs points."""
    own = find(office, near, containers)
    named = tuple(urls)
    others = (host for host in office.inventory.values() if host != near and classic.ports(named, host))
    looked = ((host, _look(office, host)) for host in others if not _needed(office, host))
    idle = ((host, store) for host, store in chain([(near, own)], looked) if store and not store.users)
    return next((Idle(host, store, _place(office, host).state == "active") for host, store in idle), None)


def _needed(office: Office, host: Host) -> bool:
    """What docker-machine and the Engines tell: less than all, and soon."""
    members = [other for other in office.inventory.values() if classic.ports(other.stores, host)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return not all(pool.map(lambda other: _place(office, other).state == "active", members))


def _look(office: Office, host: Host) -> Store | None:
    try:
        with office.shell(host) as shell:
            return find(office, host, gather.containers(shell))
    except JobError:
        return None


def _naming(office: Office, host: Host, known: HostFacts | None) -> Naming:
    if known:
        return classic.naming(host, known)
    where = _place(office, host)
    if host.machine and where.state == "active":
        return classic.naming(host, HostFacts(host.name, place=where))
    try:
        with office.shell(host) as shell:
            options, containers = gather.options(shell), gather.containers(shell)
    except JobError:
        return Naming(host.name, host.stores, host.former_stores, unseen=host.machine is None)
    return classic.naming(host, HostFacts(host.name, options=options, containers=containers, place=where))


def _place(office: Office, host: Host) -> SwarmPlace:
    try:
        return place(office.connect(host).info())
    except JobError:
        return SwarmPlace()
