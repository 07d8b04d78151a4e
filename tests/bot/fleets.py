"""Fleets in any state, folded from what jobs would have told: each host's run as a word, such as "going"."""

from collections.abc import Sequence
from typing import Literal

from bot.fleet import FleetView, fleet_of
from bot.progress import RunView, fold
from bot.record import Decision, JobState, RunRecord
from jobs.contract import (
    Began,
    Body,
    Census,
    ContainerRow,
    Detail,
    Ended,
    Event,
    Finding,
    FleetPlanned,
    Hold,
    Leg,
    Migrate,
    MigrateAll,
    Planned,
    Role,
    StepDone,
    StepFailed,
    StepLine,
    StepNote,
    StepStarted,
    Waiting,
)

ALICE, BOB, AT = "U01ALICE", "U02BOB", 1_795_440_000.0
FLEET = "f7wq2p8a"
STEPS = (StepLine("UpgradeEngine", "Upgrade the Engine"), StepLine("JoinSwarm", "Join the swarm"))
WARNING = Finding("disk", "warn", "less than 2 GB left", "Make room.")
WEB = ContainerRow("web", "nginx:1.11", True, "unless-stopped", ("80->80/tcp",))
BATCH = ContainerRow("batch", "debian:jessie", True, "no")
BEFORE = Census("before", "x", "20.10.24", (WEB, BATCH))
BEGUN: tuple[Body, ...] = (Began("x"), Planned(STEPS), BEFORE, StepStarted("UpgradeEngine"))
MOVED: tuple[Body, ...] = (
    *BEGUN, StepNote("UpgradeEngine", "Setting up docker.io"), StepDone("UpgradeEngine", "installed docker.io=26.1.5"),
    Detail("apt on x", "Get:1 docker.io"), Detail("x: what changes", "- --cluster-store\n+ nothing"),
    StepStarted("JoinSwarm"), StepDone("JoinSwarm"), Census("after", "x", "26.1.5", (WEB,)),
)  # fmt: skip
Word = Literal[
    "ahead", "queued", "going", "continue", "resume", "pending", "done", "nothing", "containers",
    "stop", "store", "kept",
    "failed", "refused", "restored", "lost", "cancelled", "declined",
]  # fmt: skip
TOLD: dict[Word, tuple[Body, ...]] = {
    "queued": (),
    "going": BEGUN,
    "continue": (Began("x"), Planned(STEPS, (WARNING,)), Waiting("continue", "f00d")),
    "resume": (*BEGUN, StepDone("UpgradeEngine"), Waiting("resume", "f00d")),
    "pending": (*MOVED, Waiting("accept", "f00d")),
    "done": (*MOVED, Ended("done", "x is in the swarm.")),
    "nothing": (Began("x"), Ended("nothing", "nothing to do")),
    "containers": (*MOVED, Waiting("containers", "f00d", names=("batch",))),
    "stop": (*MOVED, Waiting("stop", "f00d")),
    "store": (*MOVED, Waiting("store", "f00d")),
    "kept": (*MOVED, Waiting("store", "f00d")),
    "failed": (
        *BEGUN,
        StepFailed("UpgradeEngine", "dpkg: error"),
        Ended("failed", "apt-get install failed", "x runs as before.", "Mend it."),
    ),
    "refused": (Began("x"), Ended("refused", "the disk is full")),
    "restored": (*BEGUN, Ended("restored", "the Engine did not come back")),
    "lost": BEGUN,
    "cancelled": (*BEGUN, Ended("cancelled", "cancelled", by="U02BOB")),
    "declined": (Began("x"), Planned(STEPS, (WARNING,)), Waiting("continue", "f00d")),
}
ALL: tuple[Word, ...] = ("ahead", *TOLD)


def leg(host: str, role: Role = "worker", wave: int = 0, *findings: Finding) -> Leg:
    return Leg(host, role, len(STEPS), wave, "1 manager: none may fail", "w4rn", findings)


def child(host: str, word: Word) -> RunView:
    """A host's own run, 60 s old."""
    cancels = {"kept": (Decision(1, "cancel", BOB, AT + 50),), "declined": (Decision(1, "cancel", BOB, AT + 50),)}
    record = RunRecord(
        f"run-{host}", Migrate(host), f"migrate {host}", ALICE, "C01OPS", AT, 1, cancels.get(word, ()), FLEET
    )
    events = [Event(record.run, 1, number, AT + number, body) for number, body in enumerate(TOLD[word], 1)]
    rq: JobState = "lost" if word == "lost" else "running" if word == "going" else "over"
    return fold(record, events, "queued" if word == "queued" else rq, AT + 60)


def fleet(
    legs: Sequence[tuple[Leg, Word]],
    *,
    started: bool = True,
    hold: str = "",
    parallel: int = 2,
    done: tuple[str, ...] = (),
    findings: tuple[Finding, ...] = (),
) -> FleetView:
    decisions = (Decision(1, "start", BOB, AT + 5),) if started else ()
    record = RunRecord(FLEET, MigrateAll(), "migrate all", ALICE, "C01OPS", AT, 1, decisions)
    planned = FleetPlanned(tuple(leg for leg, _ in legs), done, findings, parallel)
    bodies: tuple[Body, ...] = (Began(), planned, Waiting("start", "f00d"))
    view = fold(record, [Event(FLEET, 1, n, AT + n, body) for n, body in enumerate(bodies, 1)], "over", AT + 60)
    children = {one.host: child(one.host, word) for one, word in legs if word != "ahead"}
    made = fleet_of(view, children, Hold(hold, BOB, AT + 30) if hold else None)  # type: ignore[arg-type]
    assert made is not None
    return made
