"""Write malformed jobs one after another with the bot's Redis password while a host is migrated."""

import json
import os
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from redis import Redis

from imker.protocol.events import JobFinished
from lab.chaos.supervisor import child_pids
from lab.processes import Processes, imker_environment
from lab.simulated.engine_versions import Pace
from lab.simulated.fleet import run_fleet, select_hosts
from lab.slack.server_process import run_fake_slack
from tests.chaos.conftest import NAMES, ChaosWorld
from tests.support import streams
from tests.support.figures import record_figure
from tests.support.poisoned_jobs import Poisoner
from tests.support.redis_users import run_server, start_each, user_url

SECONDS = 120 if "FIGURES" in os.environ else 20
INTERVAL = 0.05  # seconds between two pairs of jobs
MAX_GROWTH = 80 * 2**20  # bytes that an RQ worker may grow by
pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def users(tmp_path: Path, redis_folder: Path) -> Iterator[tuple[ChaosWorld, Redis]]:
    """Start each process as its own Redis user; yield a client with the bot's password."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="u-", dir=redis_folder)))
        admin = stack.enter_context(run_server(folder))
        fleet = stack.enter_context(
            run_fleet(select_hosts(NAMES), folder / "client", Pace(restart=0.05, boot=0.5, join=0.05))
        )
        workspace = stack.enter_context(run_fake_slack())
        settings = imker_environment(workspace.url, folder / "client/imker.toml", folder / "redis")
        processes = Processes({**settings, "IMKER_SIGNING_KEY": "k" * 64}, tmp_path / "log")
        stack.callback(processes.stop)
        start_each(processes, folder)
        world = ChaosWorld(workspace, processes, fleet, admin)
        world.wait_until(lambda: workspace.connection_count() > 0 and len(admin.smembers("rq:workers")) == 3, 90)
        with Redis.from_url(user_url(folder, "bot"), driver_info=None) as bot:
            yield world, bot


@pytest.mark.figures
def test_malformed_jobs_stop_no_worker_and_no_migration(users: tuple[ChaosWorld, Redis]) -> None:
    world, bot = users
    world.fleet.world.pace = replace(world.fleet.world.pace, upgrade=SECONDS - 5.0)
    message = world.start_upgrade("connewitz")
    before, largest = _workers(world), max(map(_peak_memory, _workers(world)))
    poisoner, until = Poisoner(bot, world.redis), time.monotonic() + SECONDS
    while time.monotonic() < until:
        poisoner.next()
        time.sleep(INTERVAL)
    world.wait_for_text(message, "joined the swarm", 60)
    world.wait_until(lambda: not any(world.redis.llen(key) for key in world.redis.keys("rq:queue:*s")))
    world.wait_until(lambda: not any(world.redis.llen(key) for key in world.redis.keys("rq:queue:*:intermediate")))
    run = message.plain_text.split("run `")[1].split("`")[0]
    assert [body.outcome for body in streams.event_bodies(world.redis, run) if isinstance(body, JobFinished)] == [
        "done"
    ]
    assert _workers(world) == before, "no RQ worker exited"
    assert max(map(_peak_memory, before)) < largest + MAX_GROWTH
    dropped = [line for line in _log_lines(world) if line["event"].startswith("dropped")]
    assert len(dropped) == poisoner.written
    assert [line for line in _log_lines(world) if line["level"] in ("error", "critical")] == []
    assert "Traceback" not in world.processes.log.read_text()
    assert world.redis.acl_log() == []
    record_figure(f"malformed jobs dropped in {SECONDS} s, RQ workers that ended", f"{len(dropped)}, 0")


def test_reports_the_outcome_of_a_job_falsely_marked_as_failed(users: tuple[ChaosWorld, Redis]) -> None:
    world, bot = users
    world.fleet.world.pace = replace(world.fleet.world.pace, upgrade=8.0)
    message = world.start_upgrade("connewitz")
    run = message.plain_text.split("run `")[1].split("`")[0]
    bot.hset(f"rq:job:{run}-1", "status", "failed")
    warning = world.wait_for_text(message, "The RQ worker stopped")
    assert "died" not in warning.plain_text
    result = world.wait_for_text(message, "`connewitz` joined the swarm", 60)
    assert result.text.startswith("✅")
    assert "The RQ worker stopped" not in result.plain_text


def test_workers_detect_a_dead_worker_with_their_own_acl(
    users: tuple[ChaosWorld, Redis],
) -> None:
    world, _ = users
    message = world.start_upgrade("connewitz")
    os.kill(world.busy_worker()[0], signal.SIGKILL)
    world.wait_for_text(message, "The RQ worker stopped", 60)
    assert world.redis.acl_log() == []


def _workers(world: ChaosWorld) -> list[int]:
    return [worker for name in ("changes", "reads") for worker in child_pids(world.processes.by_name[name].pid)]


def _peak_memory(process: int) -> int:
    """Return the peak resident memory of a process in bytes."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def _log_lines(world: ChaosWorld) -> list[dict[str, str]]:
    return [json.loads(line) for line in world.processes.log.read_text().splitlines() if line.startswith("{")]
