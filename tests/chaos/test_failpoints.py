"""Kill a real process with SIGKILL at each failpoint while users keep working.

Afterwards everything recovers, all invariants hold, and each command has one final message.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import get_args

import pytest

from bot.runs.posted_messages import PostedMessages
from imker.failpoints import FAILPOINTS, BotFailpoint, Failpoint, JobFailpoint, ReconcilerFailpoint
from lab.chaos import invariants
from lab.chaos.runner import ChaosRun
from lab.chaos.supervisor import Supervisor
from lab.chaos.users import SimulatedUsers
from lab.chaos.world import start_world
from lab.simulated import apt
from lab.simulated.engine_versions import Pace
from lab.simulated.fleet import Fleet, select_hosts
from lab.simulated.machine import Machine
from lab.simulated.parts import Package
from lab.simulated.units import Unit
from lab.slack.client import VisibleMessage, Workspace
from lab.story import ALICE, BOB, OPS
from tests.support.figures import record_figure
from tests.support.streams import embedded_signing_key

QUICK = Pace(upgrade=0.3, restart=0.05, boot=0.5, join=0.05)
AT_ONCE = 6  # runs under way
CROSSED = 90.0  # seconds until a process reaches a failpoint
FLEETS: tuple[Failpoint, ...] = ("host.started", "hold.saved", "report.posted")  # crossed by a fleet's migration alone
APART: tuple[Failpoint, ...] = (
    *FLEETS,
    "daily.posted",
    "private.saved",
    "swarm.left",
    "rollback.files",
    "rollback.package",
)
WORKERS = ("lausen", "tolkewitz")  # all others are to be managers: there are many questions


@dataclass
class Deaths:
    """Arms failpoints and records crashes.

    `folder`: holds the armed failpoints; `died`: the processes that crashed there; `wrong`: failpoints without a
    crash.
    """

    folder: Path
    processes: Supervisor
    died: dict[Failpoint, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def at_each(self) -> None:
        """Arm the failpoints of each process one after the other, all processes in parallel."""
        sides = [
            [point for point in get_args(side) if point not in APART]
            for side in (BotFailpoint, ReconcilerFailpoint, JobFailpoint)
        ]
        lanes = [threading.Thread(target=self._one_by_one, args=(points,)) for points in sides]
        for lane in lanes:
            lane.start()
        for lane in lanes:
            lane.join()

    def _one_by_one(self, points: Sequence[Failpoint]) -> None:
        for point in points:
            self.arm(point)
            self.awaited(point)

    def arm(self, point: Failpoint) -> None:
        (self.folder / point).touch()

    def awaited(self, point: Failpoint, then: Callable[[], None] = lambda: None) -> None:
        """Wait until a process has crashed there.

        Delete a dead reconciler's lease, so that the next one starts at once.
        """
        deadline = time.monotonic() + CROSSED
        while not (pid := self._dead(point)):
            if time.monotonic() > deadline:
                return self.wrong.append(f"no process crashed at {point}")
            time.sleep(0.05)
        self.died[point] = pid
        then()
        if point in get_args(ReconcilerFailpoint):
            self.processes.redis.delete("bot:reconciler")
        return None

    def free(self) -> None:
        """Release the locks of the dead job, whose leases would expire later."""
        for lock in self.processes.redis.keys("lock:*"):
            self.processes.redis.delete(lock)

    def _dead(self, point: Failpoint) -> int:
        """Return the process that reached the failpoint, once it has exited."""
        pids = [int(path.name.rpartition(".")[2]) for path in self.folder.glob(f"{point}.*")]
        return next((pid for pid in pids if not Path(f"/proc/{pid}").exists()), 0)


@pytest.mark.figures
@pytest.mark.timeout(600)
def test_keeps_all_invariants_with_a_crash_at_each_failpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.chaos.users.UNACKED_TIMEOUT", 1.0)
    lines: list[str] = []
    folder, log = tmp_path / "points", tmp_path / "log"
    folder.mkdir()
    hosts = [host if host.name in WORKERS else replace(host, role="manager") for host in select_hosts(())]
    with start_world(hosts, log, QUICK, f"[fleet]\nparallel = {AT_ONCE}\n", {"IMKER_FAULTS": str(folder)}) as targets:
        deaths = Deaths(folder, targets.processes)
        people = SimulatedUsers(targets.workspace, say=lines.append, max_parallel_runs=AT_ONCE)
        played = ChaosRun(targets, people, 0, (0, 0), lines.append)
        played.run(deaths.at_each)
        wrong = [*played.violations, *deaths.wrong]
        assert wrong == [], "\n".join([*wrong, *lines]) + log.read_text()[-5000:]
        targets.fleet.reset()
        _fleet(targets.workspace, deaths)
        _day_over(targets.workspace, deaths)
        _out_again(targets.workspace, deaths, targets.fleet)
        for host, point in (("pirita", "rollback.files"), ("lindenau", "rollback.package")):
            _put_back(targets.workspace, deaths, host, point)
        wrong = [*deaths.wrong, *invariants.nothing_done_twice(targets.fleet.world.history.actions())]
        wrong += invariants.no_duplicate_posts(targets.workspace.visible_messages(ALICE, OPS))
        assert wrong == [], "\n".join(wrong) + log.read_text()[-5000:]
    record_figure(
        "failpoints at which a process was killed", f"{len(set(deaths.died) & set(FAILPOINTS))} of {len(FAILPOINTS)}"
    )
    assert sorted(deaths.died) == sorted(FAILPOINTS)
    killed = [
        ended
        for ended in targets.processes.unexpected_exits
        if ended in ("bot ended with -9", "reconciler ended with -9")
    ]
    assert len(killed) == len(get_args(BotFailpoint)) + len(get_args(ReconcilerFailpoint)), (
        "a reconciler may have enqueued for a bot"
    )


def _fleet(workspace: Workspace, deaths: Deaths) -> None:
    """Migrate two hosts with one command, and pause and resume it on the way."""
    for point in FLEETS:
        deaths.arm(point)
    without = [host.name for host in select_hosts(()) if host.name not in ("connewitz", "tolkewitz")]
    _send(workspace, f"/swarm migrate all --without {','.join(without)}")
    message = workspace.wait_for_message(ALICE, OPS, lambda visible: "Start" in visible.buttons, 20)
    run = message.plain_text.split("run `")[1].split("`")[0]
    workspace.press(ALICE, message, "Start")

    def says(word: str) -> VisibleMessage:
        return workspace.wait_for_message(
            ALICE, OPS, lambda current: current.ts == message.ts and word in current.text, 60
        )

    deaths.awaited("host.started")
    _send(workspace, f"/swarm pause {run}")
    deaths.awaited("hold.saved")
    says("paused")
    _send(workspace, f"/swarm resume {run}")
    says("2 hosts migrated")
    deaths.awaited("report.posted")
    workspace.wait_for_message(
        ALICE, OPS, lambda visible: visible.thread_ts == message.ts and bool(visible.raw.get("files")), 30
    )


def _day_over(workspace: Workspace, deaths: Deaths) -> None:
    posted_messages = PostedMessages(deaths.processes.redis, embedded_signing_key(deaths.processes.redis))
    deaths.arm("daily.posted")
    posted_messages.update_checkpoint(day="2016-07-01")
    deaths.awaited("daily.posted")
    _until(lambda: posted_messages.checkpoint_state()["day"] != "2016-07-01")
    assert (
        len(
            [message for message in workspace.visible_messages(ALICE, OPS) if "End of 2016-07-01 (UTC)" in message.text]
        )
        == 1
    )


def _out_again(workspace: Workspace, deaths: Deaths, fleet: Fleet) -> None:
    """Reject a pending manager whose message is not posted at first."""
    workspace.set_channel(OPS, app=False)
    deaths.arm("private.saved")
    _send(workspace, "/swarm migrate kaditz")
    deaths.awaited("private.saved", then=lambda: workspace.set_channel(OPS))
    message = workspace.wait_for_message(
        ALICE, OPS, lambda visible: "kaditz" in visible.plain_text and "Reject" in visible.buttons, 60
    )
    deaths.arm("swarm.left")
    node = next(id for id, node in fleet.world.swarm.nodes.items() if node.hostname == "kaditz")
    _send(workspace, f"/swarm reject {node} --remove", BOB)
    deaths.awaited("swarm.left")
    deaths.free()
    workspace.wait_for_message(
        ALICE, OPS, lambda visible: visible.ts == message.ts and "The RQ worker stopped" in visible.plain_text, 60
    )
    _send(workspace, f"/swarm reject {node} --remove", BOB)
    workspace.wait_for_message(ALICE, OPS, "was removed from the swarm", 60)
    assert node not in fleet.world.swarm.nodes


def _put_back(workspace: Workspace, deaths: Deaths, host: str, point: Failpoint) -> None:
    """Let apt fail halfway and crash during the rollback. Once apt works, the migration still succeeds."""
    deaths.arm(point)
    with pytest.MonkeyPatch.context() as broken:
        broken.setattr(apt, "_install_packages", partial(_half, apt._install_packages))
        run = _start_run(workspace, f"/swarm migrate {host} --worker")
        deaths.awaited(point)
    deaths.free()
    workspace.wait_for_message(
        ALICE,
        OPS,
        lambda message: f"run `{run}`" in message.plain_text and "The RQ worker stopped" in message.plain_text,
        60,
    )
    _send(workspace, f"/swarm retry {run}")
    workspace.wait_for_message(ALICE, OPS, f"{host} joined the swarm", 60)


def _half(install: Callable[..., int], machine: Machine, unit: Unit, fresh: Sequence[tuple[str, str]]) -> int:
    """Install the old package completely; of the new one, let dpkg unpack everything and configure nothing."""
    if all(machine.packages[name].version > version for name, version in fresh if name in machine.packages):
        return install(machine, unit, fresh)
    for name, version in fresh:
        machine.packages[name] = Package(version, "iU")
    return 100


def _start_run(workspace: Workspace, text: str) -> str:
    """Type a command and return its run."""
    before = max(visible.ts for visible in workspace.visible_messages(ALICE, OPS))
    _send(workspace, text)
    message = workspace.wait_for_message(ALICE, OPS, "run `", 30, after=before)
    return message.plain_text.split("run `")[1].split("`")[0]


def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _send(workspace: Workspace, text: str, who: str = ALICE) -> None:
    """Send a command, again while Slack reports that the bot did not respond: a crashed bot restarts in a moment."""
    deadline = time.monotonic() + 20
    while not workspace.say(who, OPS, text)["acked"]:
        assert time.monotonic() < deadline, text
