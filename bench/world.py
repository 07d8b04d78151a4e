"""The lab's hosts as the measurements use them: reset, watch until the swarm is ready, compare the end states."""

import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import cache
from itertools import pairwise
from pathlib import Path
from threading import Event, Thread

import httpx

from lab.fleet import fleet, machine
from lab.fleet.hosts import LabHost

POLL_INTERVAL, PING_INTERVAL = 0.05, 0.02  # seconds
READY_TIMEOUT = 240  # seconds
IDLE_SECONDS, IDLE_SHARE = 2, 0.2  # after a boot, the machine has to use so little of its processors for so long
IDLE_TIMEOUT = 90  # seconds after which the measurement begins on a busy machine
NODES_PATH, PING_PATH = "/v1.41/nodes", "/_ping"
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


class DifferentEndState(Exception):
    """Two tools left a host differently. The text has both states."""


def reset(hosts: Sequence[LabHost]) -> None:
    """Reset hosts to their 2016 state, and wait until the machine is idle, so that no tool runs beside their boot."""
    fleet.reset([host.name for host in hosts], say=lambda text: None)
    deadline = time.monotonic() + IDLE_TIMEOUT
    while _busy_share(IDLE_SECONDS) > IDLE_SHARE and time.monotonic() < deadline:
        pass


def _busy_share(seconds: float) -> float:
    """Return the share of the processors' time in use during the next seconds, from 0 to 1."""
    before = _processor_times()
    time.sleep(seconds)
    busy, total = (after - earlier for after, earlier in zip(_processor_times(), before, strict=True))
    return busy / max(total, 1)


def _processor_times() -> tuple[int, int]:
    """Return (busy, all) ticks of all processors since the boot, from the first line of /proc/stat."""
    ticks = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)


def wait_until_ready(hosts: Sequence[LabHost]) -> None:
    """Wait until each host is Ready and Active, and each manager Reachable, as the first host reports it over TLS."""
    expected = sorted(f"{host.name} {host.role}" for host in hosts)
    deadline = time.monotonic() + READY_TIMEOUT
    seen: list[str] = []
    with _engine_client(hosts[0]) as engine:
        while time.monotonic() < deadline:
            with suppress(httpx.HTTPError):
                answer = engine.get(NODES_PATH)
                seen = _ready_nodes(answer.json()) if answer.status_code == httpx.codes.OK else []
                if sorted(seen) == expected:
                    return
            time.sleep(POLL_INTERVAL)
    raise NotReady(f"after {READY_TIMEOUT} s, {hosts[0].name} reports as ready: {', '.join(seen) or 'nothing'}")


def _ready_nodes(nodes: list[dict[str, dict[str, str]]]) -> list[str]:
    """Return "NAME ROLE" of each node that is Ready and Active and, if it is a manager, Reachable."""
    return [
        f"{node['Description']['Hostname']} {node['Spec']['Role']}"
        for node in nodes
        if node["Status"]["State"] == "ready"
        and node["Spec"]["Availability"] == "active"
        and (node["Spec"]["Role"] == "worker" or node.get("ManagerStatus", {}).get("Reachability") == "reachable")
    ]


def _engine_client(host: LabHost) -> httpx.Client:
    """Return a client of the host's Engine that keeps its connection, so that watching costs little."""
    url = f"https://{host.address}:2376"
    return httpx.Client(base_url=url, verify=_tls_context(host.name), timeout=2, trust_env=False)


@cache
def _tls_context(name: str) -> ssl.SSLContext:
    folder = fleet.CLIENT_DIR / "docker-machine/machines" / name
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    context.load_cert_chain(str(folder / "cert.pem"), str(folder / "key.pem"))
    return context


@contextmanager
def watch_absence(host: LabHost) -> Iterator[Callable[[], float]]:
    """Ping the Engine all the time. Yield a function that returns the longest time without an answer, in seconds."""
    answers, ended = [time.monotonic()], Event()
    thread = Thread(target=_ping, args=(host, answers, ended), daemon=True)
    thread.start()
    try:
        yield lambda: max(after - before for before, after in pairwise(answers))
    finally:
        ended.set()
        thread.join()


def _ping(host: LabHost, answers: list[float], ended: Event) -> None:
    with _engine_client(host) as engine:
        while not ended.wait(PING_INTERVAL):
            with suppress(httpx.HTTPError):
                if engine.get(PING_PATH).status_code == httpx.codes.OK:
                    answers.append(time.monotonic())


def end_states(hosts: Sequence[LabHost]) -> dict[str, str]:
    """Return the state of each host as text, the same for every tool that did the job."""

    def end_state(host: LabHost) -> str:
        return machine.run_on_host(host.name, "sh", "-c", END_STATE).stdout

    with ThreadPoolExecutor(len(hosts)) as pool:
        return dict(zip((host.name for host in hosts), pool.map(end_state, hosts), strict=True))


def compare_end_states(of_imker: dict[str, str], of_other: dict[str, str], tool: str) -> None:
    """Raise DifferentEndState for the first host that Imker and the other tool left differently."""
    for name, state in of_imker.items():
        if state != of_other[name]:
            raise DifferentEndState(f"{name}\n--- Imker\n{state}\n--- {tool}\n{of_other[name]}")


def write_config(parallel: int) -> Path:
    """Write an imker.toml with this many hosts at a time beside that of the lab, and return its path."""
    path = fleet.CLIENT_DIR.resolve() / "bench.toml"
    path.write_text((fleet.CLIENT_DIR / "imker.toml").read_text() + f"\n[fleet]\nparallel = {parallel}\n")
    return path
