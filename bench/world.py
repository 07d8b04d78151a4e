"""The lab's hosts as the measurements use them: reset, watch until the swarm is ready, compare the end states."""

import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import docker
from docker.errors import DockerException
from docker.tls import TLSConfig
from requests.exceptions import RequestException

from lab.fleet import fleet, machine
from lab.fleet.hosts import LabHost

POLL_INTERVAL, READY_TIMEOUT = 0.05, 240  # seconds
# Everything that a tool may leave differently: the Engine and its options, the containers, the swarm, the apt source.
END_STATE = r"""
docker version --format '{{.Server.Version}}'
tr '\0' '\n' < /proc/$(pidof dockerd)/cmdline | grep -v containerd | sort
grep -v '^#' /etc/docker/daemon.json 2>/dev/null | tr -d ' \n,' ; echo
docker ps -a --format '{{.Names}} {{.State}}' | sort
docker inspect --format '{{.Name}} {{.HostConfig.RestartPolicy.Name}} {{.Config.Image}}' $(docker ps -aq) | sort
docker info --format '{{.Swarm.LocalNodeState}} {{.Swarm.ControlAvailable}} {{.Swarm.NodeAddr}}'
grep -v '^#' /etc/apt/sources.list.d/docker.list
"""


class NotReady(Exception):
    """The swarm did not become ready in time. The text says what its first manager shows."""


def reset(hosts: Sequence[LabHost]) -> None:
    """Reset hosts to their 2016 state."""
    fleet.reset([host.name for host in hosts], say=lambda text: None)


def wait_until_ready(hosts: Sequence[LabHost]) -> None:
    """Wait until each host is Ready and Active, and each manager Reachable, as the first host reports it over TLS."""
    deadline = time.monotonic() + READY_TIMEOUT
    seen: list[str] = []
    while time.monotonic() < deadline:
        with suppress(DockerException, RequestException, OSError):
            seen = _ready_nodes(hosts[0])
            if sorted(seen) == sorted(f"{host.name} {host.role}" for host in hosts):
                return
        time.sleep(POLL_INTERVAL)
    raise NotReady(f"{hosts[0].name} reports as ready: {', '.join(seen) or 'nothing'}")


def _ready_nodes(host: LabHost) -> list[str]:
    """Return "NAME ROLE" of each node that is Ready and Active and, if it is a manager, Reachable."""
    folder = fleet.CLIENT_DIR / "docker-machine/machines" / host.name
    tls = TLSConfig(
        client_cert=(str(folder / "cert.pem"), str(folder / "key.pem")), ca_cert=str(folder / "ca.pem"), verify=True
    )
    client = docker.DockerClient(f"tcp://{host.address}:2376", version="1.41", tls=tls, timeout=5)
    try:
        return [
            f"{node['Description']['Hostname']} {node['Spec']['Role']}"
            for node in client.api.nodes()
            if node["Status"]["State"] == "ready"
            and node["Spec"]["Availability"] == "active"
            and (node["Spec"]["Role"] == "worker" or node.get("ManagerStatus", {}).get("Reachability") == "reachable")
        ]
    finally:
        client.close()


def end_states(hosts: Sequence[LabHost]) -> dict[str, str]:
    """Return the state of each host as text, the same for every tool that did the job."""
    return {host.name: machine.run_on_host(host.name, "sh", "-c", END_STATE).stdout for host in hosts}


def client_config(parallel: int, name: str) -> Path:
    """Write an imker.toml with this many hosts at a time beside that of the lab, and return its path."""
    path = fleet.CLIENT_DIR.resolve() / name
    path.write_text((fleet.CLIENT_DIR / "imker.toml").read_text() + f"\n[fleet]\nparallel = {parallel}\n")
    return path
