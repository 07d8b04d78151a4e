"""Parse a host's containers from `docker inspect`. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TASK_LABEL = "com.docker.swarm.task.id"  # container label


@dataclass(frozen=True)
class Container:
    """One container. `restart_policy`: its name, "no" for none.

    `ports`: as `docker ps` prints them, or the image's exposed ports on the host network.
    """

    name: str
    image: str
    running: bool
    restart_policy: str
    networks: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()
    mounts_docker_socket: bool = False
    arguments: tuple[str, ...] = ()


def parse_containers(inspect_json: str) -> tuple[Container, ...]:
    """Return the containers of a `docker inspect` output, which may be empty, except tasks of services."""
    standalone = (
        item
        for item in json.loads(inspect_json or "[]")
        if TASK_LABEL not in ((item.get("Config") or {}).get("Labels") or {})
    )
    return tuple(sorted(map(_parse_container, standalone), key=lambda container: container.name))


def _parse_container(document: Mapping[str, Any]) -> Container:
    config, hosts = document.get("Config") or {}, document.get("HostConfig") or {}
    networks = tuple((document.get("NetworkSettings") or {}).get("Networks") or ())
    exposed = sorted(config.get("ExposedPorts") or {}) if networks == ("host",) else ()
    return Container(
        name=str(document["Name"]).lstrip("/"),
        image=str(config.get("Image", "")),
        running=bool((document.get("State") or {}).get("Running")),
        restart_policy=(hosts.get("RestartPolicy") or {}).get("Name") or "no",
        networks=networks,
        ports=(*_format_ports(hosts.get("PortBindings") or {}), *exposed),
        mounts_docker_socket=any(_is_docker_socket(str(mount.get("Source"))) for mount in document.get("Mounts") or ()),
        arguments=tuple(config.get("Cmd") or ()),
    )


def _is_docker_socket(source: str) -> bool:
    """Return whether the mount's source is the Docker socket or its directory."""
    return source.rstrip("/") in ("/run", "/var/run") or source.endswith("/docker.sock")


def _format_ports(bindings: Mapping[str, Any]) -> list[str]:
    """Return the ports as `docker ps` prints them: "8080->80/tcp", or "127.0.0.1:8080->80/tcp"."""
    return [
        f"{_address_prefix(host.get('HostIp') or '')}{host.get('HostPort', '')}->{inside}"
        for inside, hosts in sorted(bindings.items())
        for host in hosts or ()
    ]


def _address_prefix(address: str) -> str:
    return f"{address}:" if address.strip("0.:") else ""
