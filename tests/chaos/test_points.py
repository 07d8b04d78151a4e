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

from bot.posted import Posted
from imker.fault import POINTS, OfBot, OfJob, OfReporter, Point
from lab.chaos import invariants
from lab.chaos.chaos import Chaos, world
from lab.chaos.people import People
from lab.chaos.processes import Supervised
from lab.simulated import apt
from lab.simulated.dialect import Pace
from lab.simulated.fleet import Fleet, named
from lab.simulated.machine import Machine, Package
from lab.simulated.units import Unit
from lab.slack.client import Seen, Workspace
from lab.story import ALICE, BOB, OPS
from tests.figures import figure
from tests.streams import kept_key

QUICK = Pace(upgrade=0.3, restart=0.05, boot=0.5, join=0.05)
AT_ONCE = 6  # runs under way
CROSSED = 90.0  # seconds until somebody comes to a point
FLEETS: tuple[Point, ...] = ("leg.begun", "hold.kept", "report.posted")  # crossed by a fleet's migration alone
APART: tuple[Point, ...] = (*FLEETS, "day.posted", "private.noted", "swarm.left", "back.files", "back.package")
WORKERS = ("lausen", "tolkewitz")  # all others are to be managers: there are many questions


@dataclass
class Deaths:
    """`folder`: of the points that are armed; `died`: who died where; `wrong`: where nobody did."""

    folder: Path
    processes: Supervised
    died: dict[Point, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def at_each(self) -> None:
        """Of each process one point after the other, while the others have theirs."""
        sides = [[point for point in get_args(side) if point not in APART] for side in (OfBot, OfReporter, OfJob)]
        lanes = [threading.Thread(target=self._one_by_one, args=(points,)) for points in sides]
        for lane in lanes:
            lane.start()
        for lane in lanes:
            lane.join()

    def _one_by_one(self, points: Sequence[Point]) -> None:
        for point in points:
            self.arm(point)
            self.awaited(point)

    def arm(self, point: Point) -> None:
        (self.folder / point).touch()

    def awaited(self, point: Point, then: Callable[[], None] = lambda: None) -> None:
        """Until somebody has died there, and is gone. A reporter's successor need not wait for its lease's end."""
        deadline = time.monotonic() + CROSSED
        while not (pid := self._dead(point)):
            if time.monotonic() > deadline:
                return self.wrong.append(f"nobody died at {point}")
            time.sleep(0.05)
        self.died[point] = pid
        then()
        if point in get_args(OfReporter):
            self.processes.redis.delete("bot:reporter")
        return None

    def free(self) -> None:
        """The dead job's locks, whose leases would end by themselves."""
        for lock in self.processes.redis.keys("lock:*"):
            self.processes.redis.delete(lock)

    def _dead(self, point: Point) -> int:
        """The process that came there, once there is no such process any more."""
        found = [int(path.name.rpartition(".")[2]) for path in self.folder.glob(f"{point}.*")]
        return next((pid for pid in found if not Path(f"/proc/{pid}").exists()), 0)


@pytest.mark.figures
@pytest.mark.timeout(600)
def test_a_death_at_each_point_breaks_no_promise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.chaos.people.UNHEARD", 1.0)
    said: list[str] = []
    folder, log = tmp_path / "points", tmp_path / "log"
    folder.mkdir()
    hosts = [host if host.name in WORKERS else replace(host, role="manager") for host in named(())]
    with world(hosts, log, QUICK, f"[fleet]\nparallel = {AT_ONCE}\n", {"IMKER_FAULTS": str(folder)}) as targets:
        deaths = Deaths(folder, targets.processes)
        people = People(targets.workspace, say=said.append, at_once=AT_ONCE)
        played = Chaos(targets, people, 0, (0, 0), said.append)
        played.play(deaths.at_each)
        wrong = [*played.wrong, *deaths.wrong]
        assert wrong == [], "\n".join([*wrong, *said]) + log.read_text()[-5000:]
        targets.fleet.reset()
        _fleet(targets.workspace, deaths)
        _day_over(targets.workspace, deaths)
        _out_again(targets.workspace, deaths, targets.fleet)
        for host, point in (("pirita", "back.files"), ("lindenau", "back.package")):
            _put_back(targets.workspace, deaths, host, point)
        wrong = [*deaths.wrong, *invariants.nothing_twice(targets.fleet.world.history.deeds())]
        wrong += invariants.no_doubled_posts(targets.workspace.sees(ALICE, OPS))
        assert wrong == [], "\n".join(wrong) + log.read_text()[-5000:]
    figure("points at which a process was killed", f"{len(set(deaths.died) & set(POINTS))} of {len(POINTS)}")
    assert sorted(deaths.died) == sorted(POINTS)
    killed = [
        ended for ended in targets.processes.by_itself if ended in ("bot ended with -9", "reporter ended with -9")
    ]
    assert len(killed) == len(get_args(OfBot)) + len(get_args(OfReporter)), "a reporter may have enqueued for a bot"


def _fleet(workspace: Workspace, deaths: Deaths) -> None:
    """Two hosts with one command, paused and resumed on the way."""
    for point in FLEETS:
        deaths.arm(point)
    without = [host.name for host in named(()) if host.name not in ("connewitz", "tolkewitz")]
    _said(workspace, f"/swarm migrate all --without {','.join(without)}")
    planned = workspace.wait(ALICE, OPS, lambda seen: "Start" in seen.buttons, 20)
    run = planned.plain.split("run `")[1].split("`")[0]
    workspace.press(ALICE, planned, "Start")

    def says(word: str) -> Seen:
        return workspace.wait(ALICE, OPS, lambda seen: seen.ts == planned.ts and word in seen.text, 60)

    deaths.awaited("leg.begun")
    _said(workspace, f"/swarm pause {run}")
    deaths.awaited("hold.kept")
    says("paused")
    _said(workspace, f"/swarm resume {run}")
    says("2 of 2 hosts")
    deaths.awaited("report.posted")
    workspace.wait(ALICE, OPS, lambda seen: seen.thread == planned.ts and bool(seen.raw.get("files")), 30)


def _day_over(workspace: Workspace, deaths: Deaths) -> None:
    posted = Posted(deaths.processes.redis, kept_key(deaths.processes.redis))
    deaths.arm("day.posted")
    posted.remember_witness(day="2016-07-01")
    deaths.awaited("day.posted")
    _until(lambda: posted.witnessed()["day"] != "2016-07-01")
    assert len([seen for seen in workspace.sees(ALICE, OPS) if "2016-07-01 (UTC) is over" in seen.text]) == 1


def _out_again(workspace: Workspace, deaths: Deaths, fleet: Fleet) -> None:
    """A manager-to-be, of which the channel hears nothing at first, is rejected."""
    workspace.channel(OPS, app=False)
    deaths.arm("private.noted")
    _said(workspace, "/swarm migrate kaditz")
    deaths.awaited("private.noted", then=lambda: workspace.channel(OPS))
    asked = workspace.wait(ALICE, OPS, lambda seen: "kaditz" in seen.plain and "Reject" in seen.buttons, 60)
    deaths.arm("swarm.left")
    node = next(id for id, node in fleet.world.swarm.nodes.items() if node.hostname == "kaditz")
    _said(workspace, f"/swarm reject {node} --remove", BOB)
    deaths.awaited("swarm.left")
    deaths.free()
    workspace.wait(ALICE, OPS, lambda seen: seen.ts == asked.ts and "the job failed" in seen.plain, 60)
    _said(workspace, f"/swarm reject {node} --remove", BOB)
    workspace.wait(ALICE, OPS, "is out of the swarm", 60)
    assert node not in fleet.world.swarm.nodes


def _put_back(workspace: Workspace, deaths: Deaths, host: str, point: Point) -> None:
    """apt fails half-way. When that is mended, the host that was not put back to the end arrives all the same."""
    deaths.arm(point)
    with pytest.MonkeyPatch.context() as broken:
        broken.setattr(apt, "_install", partial(_half, apt._install))
        run = _asked(workspace, f"/swarm migrate {host} --worker")
        deaths.awaited(point)
    deaths.free()
    workspace.wait(ALICE, OPS, lambda seen: f"run `{run}`" in seen.plain and "the job failed" in seen.plain, 60)
    _said(workspace, f"/swarm retry {run}")
    workspace.wait(ALICE, OPS, f"{host} is in the swarm", 60)


def _half(install: Callable[..., int], machine: Machine, unit: Unit, fresh: Sequence[tuple[str, str]]) -> int:
    """The old package goes in; of the new one, dpkg unpacks all and configures none."""
    if all(machine.packages[name].version > version for name, version in fresh if name in machine.packages):
        return install(machine, unit, fresh)
    for name, version in fresh:
        machine.packages[name] = Package(version, "iU")
    return 100


def _asked(workspace: Workspace, text: str) -> str:
    """Its run."""
    before = max(seen.ts for seen in workspace.sees(ALICE, OPS))
    _said(workspace, text)
    message = workspace.wait(ALICE, OPS, "run `", 30, after=before)
    return message.plain.split("run `")[1].split("`")[0]


def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _said(workspace: Workspace, text: str, who: str = ALICE) -> None:
    """Again while Slack says that nobody heard it: a bot that died is back in a moment."""
    deadline = time.monotonic() + 20
    while not workspace.say(who, OPS, text)["acked"]:
        assert time.monotonic() < deadline, text
