"""Each point where a death matters is crossed by one: the real process gets SIGKILL there while people go on working.

Then all heals, no promise is broken, and each command has ended in one final message.
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
from lab.chaos.runner import ChaosRun, start_world
from lab.chaos.supervisor import Supervisor
from lab.chaos.users import SimulatedUsers
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
CROSSED = 90.0  # seconds until somebody comes to a point
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
    """`folder`: of the points that are armed; `died`: who died where; `wrong`: where nobody did."""

    folder: Path
    processes: Supervisor
    died: dict[Failpoint, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def at_each(self) -> None:
        """Of each process one point after the other, while the others have theirs."""
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
        """Until somebody has died there, and is gone. A reconciler's successor need not wait for its lease's end."""
        deadline = time.monotonic() + CROSSED
        while not (pid := self._dead(point)):
            if time.monotonic() > deadline:
                return self.wrong.append(f"nobody died at {point}")
            time.sleep(0.05)
        self.died[point] = pid
        then()
        if point in get_args(ReconcilerFailpoint):
            self.processes.redis.delete("bot:reconciler")
        return None

    def free(self) -> None:
        """The dead job's locks, whose leases would end by themselves."""
        for lock in self.processes.redis.keys("lock:*"):
            self.processes.redis.delete(lock)

    def _dead(self, point: Failpoint) -> int:
        """The process that came there, once there is no such process any more."""
        pids = [int(path.name.rpartition(".")[2]) for path in self.folder.glob(f"{point}.*")]
        return next((pid for pid in pids if not Path(f"/proc/{pid}").exists()), 0)


@pytest.mark.figures
@pytest.mark.timeout(600)
def test_a_death_at_each_point_breaks_no_promise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
        "points at which a process was killed", f"{len(set(deaths.died) & set(FAILPOINTS))} of {len(FAILPOINTS)}"
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
    """Two hosts with one command, paused and resumed on the way."""
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
    says("2 of 2 hosts")
    deaths.awaited("report.posted")
    workspace.wait_for_message(
        ALICE, OPS, lambda visible: visible.thread_ts == message.ts and bool(visible.raw.get("files")), 30
    )


def _day_over(workspace: Workspace, deaths: Deaths) -> None:
    posted = PostedMessages(deaths.processes.redis, embedded_signing_key(deaths.processes.redis))
    deaths.arm("daily.posted")
    posted.update_checkpoint(day="2016-07-01")
    deaths.awaited("daily.posted")
    _until(lambda: posted.checkpoint_state()["day"] != "2016-07-01")
    assert (
        len(
            [
                message
                for message in workspace.visible_messages(ALICE, OPS)
                if "2016-07-01 (UTC) is over" in message.text
            ]
        )
        == 1
    )


def _out_again(workspace: Workspace, deaths: Deaths, fleet: Fleet) -> None:
    """A manager-to-be, of which the channel hears nothing at first, is rejected."""
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
        ALICE, OPS, lambda visible: visible.ts == message.ts and "the job failed" in visible.plain_text, 60
    )
    _send(workspace, f"/swarm reject {node} --remove", BOB)
    workspace.wait_for_message(ALICE, OPS, "was removed from the swarm", 60)
    assert node not in fleet.world.swarm.nodes


def _put_back(workspace: Workspace, deaths: Deaths, host: str, point: Failpoint) -> None:
    """apt fails half-way. When that is mended, the host that was not put back to the end arrives all the same."""
    deaths.arm(point)
    with pytest.MonkeyPatch.context() as broken:
        broken.setattr(apt, "_install_packages", partial(_half, apt._install_packages))
        run = _start_run(workspace, f"/swarm migrate {host} --worker")
        deaths.awaited(point)
    deaths.free()
    workspace.wait_for_message(
        ALICE, OPS, lambda message: f"run `{run}`" in message.plain_text and "the job failed" in message.plain_text, 60
    )
    _send(workspace, f"/swarm retry {run}")
    workspace.wait_for_message(ALICE, OPS, f"{host} is in the swarm", 60)


def _half(install: Callable[..., int], machine: Machine, unit: Unit, fresh: Sequence[tuple[str, str]]) -> int:
    """The old package goes in; of the new one, dpkg unpacks all and configures none."""
    if all(machine.packages[name].version > version for name, version in fresh if name in machine.packages):
        return install(machine, unit, fresh)
    for name, version in fresh:
        machine.packages[name] = Package(version, "iU")
    return 100


def _start_run(workspace: Workspace, text: str) -> str:
    """Its run."""
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
    """Again while Slack says that nobody heard it: a bot that died is back in a moment."""
    deadline = time.monotonic() + 20
    while not workspace.say(who, OPS, text)["acked"]:
        assert time.monotonic() < deadline, text
