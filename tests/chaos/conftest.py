"""Run the four processes with a real Redis, the fake Slack, and simulated hosts, for named faults."""

import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from redis import Redis

from imker.protocol.events import EventBody
from lab.chaos.supervisor import child_pids
from lab.processes import Processes, imker_environment, read_procfile
from lab.simulated.engine_versions import Pace
from lab.simulated.fleet import Fleet, run_fleet, select_hosts
from lab.slack.client import VisibleMessage, Workspace
from lab.slack.server_process import run_fake_slack
from lab.story import ALICE, OPS
from tests.support import streams

NAMES = ("connewitz", "tondi", "lausen")
UPGRADE = "imker-upgrade.service"
PATIENCE = 60  # seconds that a test waits for what it does not measure: other tests use the processors as well


@dataclass
class ChaosWorld:
    """The running processes, Slack, and hosts. Tests may change the `pace` of the hosts."""

    workspace: Workspace
    processes: Processes
    fleet: Fleet
    redis: Redis

    def send_command(self, text: str) -> tuple[str, VisibleMessage]:
        """Type a command and return its run and its message."""
        before = max((visible.ts for visible in self.workspace.visible_messages(ALICE, OPS)), default="")
        assert self.workspace.say(ALICE, OPS, text)["acked"]
        message = self.workspace.wait_for_message(ALICE, OPS, "run `", PATIENCE, after=before)
        return message.plain_text.split("run `")[1].split("`")[0], message

    def wait_for_text(self, message: VisibleMessage, text: str, seconds: float = PATIENCE) -> VisibleMessage:
        """Wait until the message of the run has this text."""

        def fits(visible: VisibleMessage) -> bool:
            return visible.ts == message.ts and text in f"{visible.text}{visible.plain_text}"

        return self.workspace.wait_for_message(ALICE, OPS, fits, seconds)

    def event_bodies(self, run: str) -> list[EventBody]:
        return streams.event_bodies(self.redis, run, streams.embedded_signing_key(self.redis))

    def start_upgrade(self, name: str) -> VisibleMessage:
        """Start a migration and wait until the upgrade runs on the host."""
        _, message = self.send_command(f"/swarm migrate {name}")
        self.wait_until(lambda: self.fleet[name].units.is_running(UPGRADE))
        return message

    def workers(self) -> list[int]:
        return child_pids(self.processes.by_name["changes"].pid)

    def busy_worker(self) -> tuple[int, int]:
        """Return the RQ worker of `changes` that has a job, and the process of the job."""
        self.wait_until(lambda: any(map(child_pids, self.workers())))
        return next((worker, job) for worker in self.workers() for job in child_pids(worker))

    def wait_until(self, true: Callable[[], object], seconds: float = PATIENCE) -> None:
        deadline = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < deadline, self.processes.log.read_text()[-3000:]
            time.sleep(0.02)

    def unit_starts(self, name: str, unit: str = UPGRADE) -> int:
        """Count how often a unit was started on a host."""
        return [action.detail for action in self.fleet.world.history.actions("unit started", name)].count(unit)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[ChaosWorld]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="imker-w-")))
        pace = Pace(upgrade=3.0, restart=0.05, boot=0.5, join=0.05)
        fleet = stack.enter_context(run_fleet(select_hosts(NAMES), folder / "client", pace))
        workspace = stack.enter_context(run_fake_slack())
        settings = imker_environment(workspace.url, folder / "client/imker.toml", folder / "redis")
        processes = Processes(settings, tmp_path / "log")
        stack.callback(processes.stop)
        for name in read_procfile():
            processes.start(name)
        redis = Redis(unix_socket_path=str(folder / "redis/redis.sock"))
        stack.callback(redis.close)
        world_value = ChaosWorld(workspace, processes, fleet, redis)
        world_value.wait_until(lambda: workspace.connection_count() > 0 and len(_idle_workers(folder, redis)) == 3)
        yield world_value


def _idle_workers(folder: Path, redis: Redis) -> list[bytes]:
    """Return the idle RQ workers."""
    if not (folder / "redis/redis.sock").exists():
        return []
    return [name for name in redis.smembers("rq:workers") if redis.hget(name, "state") == b"idle"]


def suspend(*processes: int) -> None:
    for process in processes:
        os.kill(process, signal.SIGSTOP)


def resume(*processes: int) -> None:
    for process in processes:
        os.kill(process, signal.SIGCONT)
