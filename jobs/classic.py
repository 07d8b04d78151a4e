"""The classic Swarm as hosts show it: its own containers, the key-value store, and who names that. Pure.

A container is the store when it listens, at its host's own address, on the port that somebody's discovery or
--cluster-store names. Its image says nothing: hosts have Consul for many ends, and exporters of it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from jobs.daemon_options import OptionFiles, effective
from jobs.daemon_options.flags import flags
from jobs.facts import Container, HostFacts
from jobs.inventory import Host

AGENTS = ("swarm-agent", "swarm-agent-master")  # docker-machine's names
PORTS = {"consul": 8500, "etcd": 2379, "zk": 2181}  # scheme -> its port, where the URL names none; others need no store


@dataclass(frozen=True)
class Naming:
    """The stores that a host names, as URLs: those it needs `now`, and those from `before`, as saved copies tell.

    `unseen`: it does not answer, and may need any.
    """

    host: str
    now: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    unseen: bool = False


@dataclass(frozen=True)
class Store:
    """A host's key-value store. `users`: the hosts that may still need it, its own among them if it does."""

    container: Container
    users: tuple[str, ...] = ()

    @property
    def stopped(self) -> bool:
        """For good."""
        return not self.container.running and self.container.restart == "no"


def is_agent(container: Container) -> bool:
    return container.name in AGENTS and is_swarm(container.image)


def is_swarm(image: str) -> bool:
    """swarm:1.2.3, library/swarm, a registry's own copy of it: not swarm-exporter, nor swarmkit."""
    return image.split("@")[0].rsplit("/", 1)[-1].split(":")[0] == "swarm"


def naming(host: Host, now: HostFacts) -> Naming:
    """Of a host that was looked at."""
    old = replace(now.options, files={**now.options.files, **now.options.saved})
    before = (*host.former_stores, *_named(old))
    if now.place.state == "active":
        return Naming(host.name, (), (*host.stores, *before))
    running = (flag.value for flag in flags(now.options.command_line) if flag.name == "cluster-store")
    agents = (word for one in now.containers if is_swarm(one.image) for word in one.command if "://" in word)
    return Naming(host.name, (*host.stores, *_named(now.options), *running, *agents), before)


def ports(urls: Iterable[str], host: Host) -> frozenset[int]:
    """Those that the URLs name at this host, by its address or its name."""
    own = (host.address, host.name)
    return frozenset(port for url in urls for name, port in endpoints(url) if name in own or name.split(".")[0] in own)


def endpoints(url: str) -> tuple[tuple[str, int], ...]:
    """ "consul://10.0.0.4:8500/prefix", "etcd://a:2379,b:2379", "zk://[fe80::4]": (host, port) of each store."""
    scheme, _, rest = url.partition("://")
    if scheme not in PORTS:
        return ()
    return tuple(end for part in rest.split("/")[0].split(",") for end in _endpoint(part, PORTS[scheme]))


def store(host: Host, containers: tuple[Container, ...], namings: Iterable[Naming]) -> Store | None:
    """One that runs, if several fit: an old one may have been kept beside it."""
    said = tuple(namings)
    named = ports((url for one in said for url in (*one.now, *one.before)), host)
    fitting = [one for one in containers if listening(one, host) & named]
    if not fitting:
        return None
    found = min(fitting, key=lambda one: (not one.running, one.restart == "no"))
    own = listening(found, host)
    return Store(found, tuple(one.host for one in said if one.unseen or ports(one.now, host) & own))


def suspects(host: Host, containers: tuple[Container, ...], urls: Iterable[str]) -> bool:
    """Whether it is worth asking all hosts who names a store here."""
    worth = ports(urls, host) | frozenset(PORTS.values())
    return any(listening(one, host) & worth for one in containers)


def listening(container: Container, host: Host) -> frozenset[int]:
    """TCP ports at the host's address: "8500->8500/tcp", or of a container on the host's own network "8500/tcp"."""
    found = (re.fullmatch(r"(?:(.+):)?(\d+)(?:->\d+)?/tcp", port) for port in container.ports)
    return frozenset(int(match[2]) for match in found if match and match[1] in (None, host.address))


def _named(options: OptionFiles) -> tuple[str, ...]:
    return tuple(option.value for option in effective(options) if option.name == "cluster-store")


def _endpoint(text: str, port: int) -> tuple[tuple[str, int], ...]:
    try:
        split = urlsplit(f"//{text}")
        return ((split.hostname, split.port or port),) if split.hostname else ()
    except ValueError:
        return ()
