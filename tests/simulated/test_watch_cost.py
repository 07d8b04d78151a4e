"""Watching 50 nodes and 300 services costs little processor time, and memory does not grow."""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from redis import Redis

from bot.runs.watch_store import WatchStore
from bot.watch.model import WatchMode
from imker import signing
from imker.protocol.version import KNOWN_SWARM_KEY
from lab.chaos.supervisor import child_pids
from lab.processes import Processes, imker_environment
from lab.simulated.fleet import run_fleet, select_hosts
from lab.slack.server_process import run_fake_slack
from tests.simulated.conftest import FAST_PACE
from tests.support import streams
from tests.support.figures import record_figure
from tests.support.simulated_swarm import add_service, form_swarm

NODES, MANAGERS, SERVICES, BROKEN_SERVICES = 50, 5, 300, 10
EVERY, DEFAULT_EVERY = 10, 60  # seconds between two looks: in this test, and by default
LOOKS = 6  # that are measured
TICK = os.sysconf("SC_CLK_TCK")
MAX_PERCENT, MAX_GROWTH = 2.0, 4.0  # of one core at DEFAULT_EVERY; MB


@dataclass
class World:
    processes: Processes
    watch: WatchStore

    def processor_seconds(self) -> float:
        """Return the processor time of all processes so far, those that have ended included."""
        return sum(map(_processor_seconds, self._pids()))

    def megabytes(self) -> float:
        """Return the memory of all processes that stay."""
        return sum(map(_megabytes, self._pids()))

    def wait_for_looks(self, number: int) -> None:
        for _ in range(number):
            before = self.watch.state().observed_at
            self.wait_until(lambda before=before: self.watch.state().observed_at != before)

    def wait_until(self, true: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 120
        while not true():
            assert time.monotonic() < deadline, self.processes.log.read_text()[-3000:]
            time.sleep(0.1)

    def _pids(self) -> list[int]:
        pools = [self.processes.by_name[name].pid for name in ("reconciler", "reads")]
        return [*pools, *(pid for pool in pools for pid in child_pids(pool))]


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / TICK


def _megabytes(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="imker-c-")))
        fleet = stack.enter_context(run_fleet(select_hosts((), NODES), folder / "client", FAST_PACE))
        form_swarm(fleet, MANAGERS)
        for number in range(SERVICES):
            constraints = {"Placement": {"Constraints": ["node.labels.ssd==yes"]}} if number < BROKEN_SERVICES else {}
            add_service(fleet, f"service-{number}", replicas=1, task=constraints)
        config = folder / "client/imker.toml"
        config.write_text(f"{config.read_text()}\n[watch]\nevery = {EVERY}\n")
        workspace = stack.enter_context(run_fake_slack())
        processes = Processes(imker_environment(workspace.url, config, folder / "redis"), tmp_path / "log")
        stack.callback(processes.stop)
        processes.start("reconciler")
        processes.start("reads")
        redis = Redis(unix_socket_path=str(folder / "redis/redis.sock"))
        stack.callback(redis.close)
        _wait_for(folder / "redis/signing.key")
        key = streams.embedded_signing_key(redis)
        new_world = World(processes, WatchStore(redis, key))
        new_world.wait_until(lambda: bool(redis.keys("rq:worker:*")))
        swarm = f'{{"cluster": "{fleet.world.swarm.id}", "managers": ["{fleet.hosts[0].name}"]}}'
        redis.set(KNOWN_SWARM_KEY, signing.sign_for(key, KNOWN_SWARM_KEY, swarm))
        yield new_world


def _wait_for(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.figures
@pytest.mark.long
@pytest.mark.timeout(600)
def test_the_cost_of_watching(world: World) -> None:
    world.wait_for_looks(3)
    state = world.watch.state()
    assert (state.nodes, state.services) == (NODES, SERVICES)
    memory, used, started_at = world.megabytes(), world.processor_seconds(), time.monotonic()
    world.wait_for_looks(LOOKS)
    watching = (world.processor_seconds() - used, time.monotonic() - started_at)
    growth = world.megabytes() - memory
    world.watch.save_mode(WatchMode(is_on=False))
    world.wait_until(lambda: not world.watch.state().observed_at)
    used, started_at = world.processor_seconds(), time.monotonic()
    time.sleep(20)  # nothing is awaited: the processes are idle
    idle = (world.processor_seconds() - used) / (time.monotonic() - started_at)
    seconds_per_look = (watching[0] - idle * watching[1]) / LOOKS
    percent = 100 * seconds_per_look / DEFAULT_EVERY
    record_figure(f"watching {NODES} nodes and {SERVICES} services, of one core", f"{percent:.2f} %")
    record_figure(f"memory after {LOOKS} looks", f"{growth:+.1f} MB")
    print(f"{seconds_per_look:.2f} s per look, {percent:.2f} % of one core, idle {100 * idle:.2f} %, {growth:+.1f} MB")
    assert percent < MAX_PERCENT
    assert growth < MAX_GROWTH
