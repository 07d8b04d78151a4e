"""The four processes, a real Redis, the lab's Slack and simulated hosts: for faults with a name."""

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

from jobs.contract import Body
from lab.chaos.processes import children
from lab.imker import Processes, environment, procfile
from lab.simulated.dialect import Pace
from lab.simulated.fleet import Fleet, named, running
from lab.slack.client import Seen, Workspace
from lab.slack.running import running as slack_running
from lab.story import ALICE, OPS
from tests import streams

NAMES = ("connewitz", "tondi", "lausen")
UPGRADE = "imker-upgrade.service"


@dataclass
class World:
    """`pace` of the hosts may be changed by a test."""

    workspace: Workspace
    processes: Processes
    fleet: Fleet
    redis: Redis

    def asks(self, text: str) -> tuple[str, Seen]:
        """A command, its run and its message."""
        before = max((seen.ts for seen in self.workspace.sees(ALICE, OPS)), default="")
        assert self.workspace.say(ALICE, OPS, text)["acked"]
        message = self.workspace.wait(ALICE, OPS, "run `", 20, after=before)
        return message.plain.split("run `")[1].split("`")[0], message

    def sees(self, message: Seen, text: str, seconds: float = 30) -> Seen:
        """That message, once it says so."""

        def fits(seen: Seen) -> bool:
            return seen.ts == message.ts and text in f"{seen.text}{seen.plain}"

        return self.workspace.wait(ALICE, OPS, fits, seconds)

    def told(self, run: str) -> list[Body]:
        return streams.told(self.redis, run, streams.kept_key(self.redis))

    def upgrading(self, name: str) -> Seen:
        """Asks for a host's migration, and waits until its upgrade runs there."""
        _, message = self.asks(f"/swarm migrate {name}")
        self.soon(lambda: self.fleet[name].units.running(UPGRADE))
        return message

    def workers(self) -> list[int]:
        return children(self.processes.running["changes"].pid)

    def busy(self) -> tuple[int, int]:
        """The RQ worker that changes hosts and has a job, and the job's process."""
        self.soon(lambda: any(map(children, self.workers())))
        return next((worker, job) for worker in self.workers() for job in children(worker))

    def soon(self, true: Callable[[], object], seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < deadline, self.processes.log.read_text()[-3000:]
            time.sleep(0.02)

    def begun(self, name: str, unit: str = UPGRADE) -> int:
        """How many times a unit was started on a host."""
        deeds = self.fleet.world.history.deeds("unit", name)
        return len([deed for deed in deeds if "systemd-run" in deed.what and unit in deed.what and not deed.said])


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="imker-w-")))
        pace = Pace(upgrade=3.0, restart=0.05, boot=0.5, join=0.05)
        fleet = stack.enter_context(running(named(NAMES), folder / "client", pace))
        workspace = stack.enter_context(slack_running())
        settings = environment(workspace.url, folder / "client/imker.toml", folder / "redis")
        processes = Processes(settings, tmp_path / "log")
        stack.callback(processes.stop)
        for name in procfile():
            processes.start(name)
        redis = Redis(unix_socket_path=str(folder / "redis/redis.sock"))
        stack.callback(redis.close)
        made = World(workspace, processes, fleet, redis)
        made.soon(lambda: workspace.sockets() > 0 and len(_idle(folder, redis)) == 3)
        yield made


def _idle(folder: Path, redis: Redis) -> list[bytes]:
    """RQ workers that wait for a job."""
    if not (folder / "redis/redis.sock").exists():
        return []
    return [name for name in redis.smembers("rq:workers") if redis.hget(name, "state") == b"idle"]


def stop(*processes: int) -> None:
    for process in processes:
        os.kill(process, signal.SIGSTOP)


def go_on(*processes: int) -> None:
    for process in processes:
        os.kill(process, signal.SIGCONT)
