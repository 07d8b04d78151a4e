"""Each point where a death matters is crossed by one: the real process gets SIGKILL there while people go on working.

Then all heals, no promise is broken, and each command has ended in one final message.
"""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import get_args

import pytest

from imker.fault import POINTS, OfBot, OfJob, OfReporter, Point
from lab.chaos import invariants
from lab.chaos.chaos import Chaos, world
from lab.chaos.people import People
from lab.chaos.processes import Supervised
from lab.simulated.dialect import Pace
from lab.simulated.fleet import named
from lab.slack.client import Seen, Workspace
from lab.story import ALICE, OPS
from tests.figures import figure

QUICK = Pace(upgrade=0.3, restart=0.05, boot=0.5, join=0.05)
AT_ONCE = 6  # runs under way
CROSSED = 90.0  # seconds until somebody comes to a point
FLEETS: tuple[Point, ...] = ("leg.begun", "hold.kept", "report.posted")  # crossed by a fleet's migration alone
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
        sides = [[point for point in get_args(side) if point not in FLEETS] for side in (OfBot, OfReporter, OfJob)]
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

    def awaited(self, point: Point) -> None:
        """Until somebody has died there, and is gone. A reporter's successor need not wait for its lease's end."""
        deadline = time.monotonic() + CROSSED
        while not (pid := self._dead(point)):
            if time.monotonic() > deadline:
                return self.wrong.append(f"nobody died at {point}")
            time.sleep(0.05)
        self.died[point] = pid
        if point in get_args(OfReporter):
            self.processes.redis.delete("bot:reporter")
        return None

    def _dead(self, point: Point) -> int:
        """The process that came there, once there is no such process any more."""
        found = [int(path.name.rpartition(".")[2]) for path in self.folder.glob(f"{point}.*")]
        return next((pid for pid in found if not Path(f"/proc/{pid}").exists()), 0)


@pytest.mark.figures
@pytest.mark.timeout(420)
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


def _said(workspace: Workspace, text: str) -> None:
    """Again while Slack says that nobody heard it: a bot that died is back in a moment."""
    deadline = time.monotonic() + 20
    while not workspace.say(ALICE, OPS, text)["acked"]:
        assert time.monotonic() < deadline, text
