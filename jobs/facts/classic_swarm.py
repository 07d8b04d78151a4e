"""Recognize the classic Swarm: its agents, the key-value store, and the hosts that refer to the store. Pure.

A container is the store when it listens at its host's address on the port that a discovery URL or a --cluster-store
option names. The image proves nothing: hosts run Consul for many purposes, and exporters for it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from urllib.parse import urlsplit

from jobs.daemon_options import OptionFiles, effective
from jobs.daemon_options.flags import flags
from jobs.facts.containers import Container
from jobs.facts.host import HostFacts
from jobs.inventory.model import Host

AGENT_NAMES = ("swarm-agent", "swarm-agent-master")  # docker-machine's names
DEFAULT_PORTS = {
    "consul": 8500,
    "etcd": 2379,
    "zk": 2181,
}  # scheme -> port when the URL names none; other schemes need no store


@dataclass(frozen=True)
class StoreReferences:
    """The URLs of the stores that a host uses now (`current`) and used earlier (`former`, from backups).

    `unreachable`: the host could not be inspected, and may use any store.
    """

    host: str
    current: tuple[str, ...] = ()
    former: tuple[str, ...] = ()
    unreachable: bool = False


@dataclass(frozen=True)
class KeyValueStore:
    """A host's key-value store. `users`: names of the hosts that may still use it, including its own host."""

    container: Container
    users: tuple[str, ...] = ()

    @property
    def stopped(self) -> bool:
        """Return whether the store is stopped and has no restart policy."""
        return not self.container.running and self.container.restart_policy == "no"


def is_agent(container: Container) -> bool:
    return container.name in AGENT_NAMES and is_swarm_image(container.image)


def is_swarm_image(image: str) -> bool:
    """Return whether the image is swarm:1.2.3, library/swarm, or a registry's copy, but not swarm-exporter."""
    return image.split("@")[0].rsplit("/", 1)[-1].split(":")[0] == "swarm"


def find_references(host: Host, facts: HostFacts) -> StoreReferences:
    """Return the store URLs of an inspected host."""
    former_options = replace(facts.options, files={**facts.options.files, **facts.options.saved})
    former_urls = (*host.former_store_urls, *_cluster_store_urls(former_options))
    if facts.membership.state == "active":
        return StoreReferences(host.name, (), (*host.store_urls, *former_urls))
    running = (flag.value for flag in flags(facts.options.command_line) if flag.name == "cluster-store")
    agents = (
        word
        for container in facts.containers
        if is_swarm_image(container.image)
        for word in container.arguments
        if "://" in word
    )
    return StoreReferences(
        host.name, (*host.store_urls, *_cluster_store_urls(facts.options), *running, *agents), former_urls
    )


def ports_at_host(urls: Iterable[str], host: Host) -> frozenset[int]:
    """Return the ports that the URLs name at this host, by its address or its name."""
    host_names = (host.address, host.name)
    return frozenset(
        port
        for url in urls
        for name, port in parse_endpoints(url)
        if name in host_names or name.split(".")[0] in host_names
    )


@lru_cache(maxsize=4096)  # each host is compared with the URLs of all others
def parse_endpoints(url: str) -> tuple[tuple[str, int], ...]:
    """Return (host, port) of each store in "consul://10.0.0.4:8500/prefix" or "etcd://a:2379,b:2379"."""
    scheme, _, rest = url.partition("://")
    if scheme not in DEFAULT_PORTS:
        return ()
    return tuple(end for part in rest.split("/")[0].split(",") for end in _parse_endpoint(part, DEFAULT_PORTS[scheme]))


def match_store(
    host: Host, containers: tuple[Container, ...], references: Iterable[StoreReferences]
) -> KeyValueStore | None:
    """Return the container that the references point to. If several fit, prefer a running one over an old one."""
    all_references = tuple(references)
    named_ports = ports_at_host((url for item in all_references for url in (*item.current, *item.former)), host)
    fitting = [item for item in containers if listening_ports(item, host) & named_ports]
    if not fitting:
        return None
    best = min(fitting, key=lambda item: (not item.running, item.restart_policy == "no"))
    own_ports = listening_ports(best, host)
    return KeyValueStore(
        best,
        tuple(
            item.host for item in all_references if item.unreachable or ports_at_host(item.current, host) & own_ports
        ),
    )


def may_run_store(host: Host, containers: tuple[Container, ...], urls: Iterable[str]) -> bool:
    """Return whether a container could be a store, so that all hosts need to be asked for references."""
    suspicious_ports = ports_at_host(urls, host) | frozenset(DEFAULT_PORTS.values())
    return any(listening_ports(container, host) & suspicious_ports for container in containers)


def listening_ports(container: Container, host: Host) -> frozenset[int]:
    """Return the TCP ports at the host's address, from "8500->8500/tcp" or, on the host network, "8500/tcp"."""
    matches = (re.fullmatch(r"(?:(.+):)?(\d+)(?:->\d+)?/tcp", port) for port in container.ports)
    return frozenset(int(match[2]) for match in matches if match and match[1] in (None, host.address))


def _cluster_store_urls(options: OptionFiles) -> tuple[str, ...]:
    return tuple(option.value for option in effective(options) if option.name == "cluster-store")


def _parse_endpoint(text: str, port: int) -> tuple[tuple[str, int], ...]:
    try:
        split = urlsplit(f"//{text}")
        return ((split.hostname, split.port or port),) if split.hostname else ()
    except ValueError:
        return ()
