"""Measure on the lab's real hosts: Imker and the script in turn, so that both meet the same machine."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path

import httpx

from bench import imker_run, script
from bench.report import Figures
from bench.world import client_config, end_states, reset, wait_until_ready
from lab.fleet import fleet, machine
from lab.fleet.hosts import FLEET, LabHost

Say = Callable[[str], None]
WARM_UP = 1  # rounds that are not counted
PING_INTERVAL = 0.01  # seconds


class DifferentEndState(Exception):
    """Imker and the script left a host differently. The text has both states."""


def measure(rounds: int, say: Say) -> Figures:
    """Boot the eight hosts, measure, and stop them. Raises DifferentEndState."""
    figures = Figures()
    fleet.begin((), say=say)
    try:
        for number in range(rounds + WARM_UP):
            say(f"round {number} of {rounds}" if number else "warm-up")
            counted = figures if number else Figures()
            _one_host(counted, FLEET[0])
            states = _fleet(counted, FLEET, 8)
            _fleet(counted, FLEET, 2)
            _script_fleet(counted, FLEET, states)
            _dead_hosts(counted, FLEET)
    finally:
        fleet.down(say=say)
    return figures


def _one_host(figures: Figures, host: LabHost) -> None:
    reset([host])
    with imker_run.running(client_config(2, "bench.toml")) as (workspace, _), _absence(host) as absence:
        figures.add("one host, Imker", _timed(lambda: imker_run.migrate_one(workspace, host)))
    figures.add("Engine's absence, Imker", absence())
    states = end_states([host])
    with _absence(host) as absence:
        machine.run_on_host(host.name, "systemctl", "restart", "docker")
        wait_until_ready([host])
    figures.add("Engine's absence, bare restart", absence())
    reset([host])
    figures.add("one host, script", _timed(lambda: script.migrate([host])))
    _compare(states, end_states([host]))


def _fleet(figures: Figures, hosts: Sequence[LabHost], parallel: int) -> dict[str, str]:
    """Migrate the fleet and return the end states."""
    reset(hosts)
    with imker_run.running(client_config(parallel, "bench.toml")) as (workspace, _):
        began = time.monotonic()
        message = imker_run.plan_fleet(workspace)
        figures.add("plan of eight hosts", time.monotonic() - began)
        name = f"eight hosts, Imker, parallel = {parallel}"
        figures.add(name, _timed(lambda: imker_run.start_fleet(workspace, message, hosts)))
        time.sleep(3)  # until the last runs have ended
        for command in ("/swarm hosts", "/swarm nodes"):
            figures.add(f"{command}, eight hosts", imker_run.seconds_of(workspace, command))
    return end_states(hosts)


def _script_fleet(figures: Figures, hosts: Sequence[LabHost], of_imker: dict[str, str]) -> None:
    reset(hosts)
    figures.add("eight hosts, script", _timed(lambda: script.migrate(hosts)))
    _compare(of_imker, end_states(hosts))


def _dead_hosts(figures: Figures, hosts: Sequence[LabHost]) -> None:
    """Migrate one host while the others drop all packets, as hosts without power do."""
    reset(hosts)
    for host in hosts[1:]:
        machine.drop_packets(host.name)
    with imker_run.running(client_config(2, "bench.toml")) as (workspace, _):
        name = "one host, seven of eight dead, Imker"
        figures.add(name, _timed(lambda: imker_run.migrate_one(workspace, hosts[0])))


def _timed(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def _compare(of_imker: dict[str, str], of_script: dict[str, str]) -> None:
    for name, state in of_imker.items():
        if state != of_script[name]:
            raise DifferentEndState(f"{name}\n--- Imker\n{state}\n--- script\n{of_script[name]}")


@contextmanager
def _absence(host: LabHost) -> Iterator[Callable[[], float]]:
    """Ping the Engine all the time. Yield a function that returns the longest time without an answer, in seconds."""
    answers, ended = [time.monotonic()], threading.Event()
    thread = threading.Thread(target=_ping, args=(host, answers, ended), daemon=True)
    thread.start()
    try:
        yield lambda: max(after - before for before, after in pairwise(answers))
    finally:
        ended.set()
        thread.join()


def _ping(host: LabHost, answers: list[float], ended: threading.Event) -> None:
    folder: Path = fleet.CLIENT_DIR / "docker-machine/machines" / host.name
    certificate = str(folder / "cert.pem"), str(folder / "key.pem")
    url = f"https://{host.address}:2376/_ping"
    with httpx.Client(verify=str(folder / "ca.pem"), cert=certificate, timeout=1, trust_env=False) as client:
        while not ended.wait(PING_INTERVAL):
            with suppress(httpx.HTTPError):
                if client.get(url).status_code == httpx.codes.OK:
                    answers.append(time.monotonic())
