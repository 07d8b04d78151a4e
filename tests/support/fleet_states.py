"""Build fleets in any state from the events that jobs emit. Each host's run is named by a word, such as "running"."""

from collections.abc import Sequence
from typing import Literal

from bot.records import Choice, Decision, QueueStatus, RunRecord
from bot.state.fleet_state import FleetState, fold_fleet
from bot.state.run_state import RunState, fold
from imker.protocol.commands import Hold, Migrate, MigrateAll, Role
from imker.protocol.event_log import EventLog
from imker.protocol.events import (
    ContainerSnapshot,
    DecisionRequested,
    Event,
    EventBody,
    FleetPlanned,
    JobFinished,
    JobStarted,
    Planned,
    StepDone,
    StepFailed,
    StepProgress,
    StepStarted,
    ThreadDetail,
)
from imker.protocol.values import ContainerRow, Finding, HostPlan, StepLine

ALICE, BOB, AT = "U01ALICE", "U02BOB", 1_795_440_000.0
FLEET = "f7wq2p8a"
STEPS = (StepLine("UpgradeEngine", "Upgrade the Engine"), StepLine("JoinSwarm", "Join the swarm"))
WARNING = Finding("disk", "warn", "less than 2 GB left", "Make room.")
WEB = ContainerRow("web", "nginx:1.11", True, "unless-stopped", ("80->80/tcp",))
BATCH = ContainerRow("batch", "debian:jessie", True, "no")
CONTAINERS_BEFORE = ContainerSnapshot("before", "x", "20.10.24", (WEB, BATCH))
STARTED_EVENTS: tuple[EventBody, ...] = (
    JobStarted("x"),
    Planned(STEPS),
    CONTAINERS_BEFORE,
    StepStarted("UpgradeEngine"),
)
MIGRATED_EVENTS: tuple[EventBody, ...] = (
    *STARTED_EVENTS, StepProgress("UpgradeEngine", "Setting up docker.io"),
    StepDone("UpgradeEngine", "installed docker.io=26.1.5"),
    ThreadDetail("apt on x", "Get:1 docker.io"), ThreadDetail("x: what changes", "- --cluster-store\n+ nothing"),
    StepStarted("JoinSwarm"), StepDone("JoinSwarm"), ContainerSnapshot("after", "x", "26.1.5", (WEB,)),
)  # fmt: skip
Word = Literal[
    "pending", "queued", "running", "continue", "resume", "accept", "done", "nothing", "containers",
    "stop", "store", "kept",
    "failed", "refused", "restored", "lost", "cancelled", "declined",
    "accepting", "accepted", "rejecting", "rejected", "removed", "not promoted",
]  # fmt: skip
EVENTS_BY_WORD: dict[Word, tuple[EventBody, ...]] = {
    "queued": (),
    "running": STARTED_EVENTS,
    "continue": (JobStarted("x"), Planned(STEPS, (WARNING,)), DecisionRequested("continue", "f00d")),
    "resume": (*STARTED_EVENTS, StepDone("UpgradeEngine"), DecisionRequested("resume", "f00d")),
    "accept": (*MIGRATED_EVENTS, DecisionRequested("accept", "f00d")),
    "done": (*MIGRATED_EVENTS, JobFinished("done", "x is in the swarm.")),
    "nothing": (JobStarted("x"), JobFinished("unchanged", "nothing to do")),
    "containers": (*MIGRATED_EVENTS, DecisionRequested("start_containers", "f00d", names=("batch",))),
    "stop": (*MIGRATED_EVENTS, DecisionRequested("stop_store", "f00d")),
    "store": (*MIGRATED_EVENTS, DecisionRequested("remove_store", "f00d")),
    "kept": (*MIGRATED_EVENTS, DecisionRequested("remove_store", "f00d")),
    "failed": (
        *STARTED_EVENTS,
        StepFailed("UpgradeEngine", "dpkg: error"),
        JobFinished("failed", "apt-get install failed", "x runs as before.", "Fix it."),
    ),
    "refused": (JobStarted("x"), JobFinished("refused", "the disk is full")),
    "restored": (*STARTED_EVENTS, JobFinished("rolled_back", "the Engine did not restart")),
    "lost": STARTED_EVENTS,
    "cancelled": (*STARTED_EVENTS, JobFinished("cancelled", "cancelled", user="U02BOB")),
    "declined": (JobStarted("x"), Planned(STEPS, (WARNING,)), DecisionRequested("continue", "f00d")),
}
ALL: tuple[Word, ...] = ("pending", *EVENTS_BY_WORD)
DECIDED: dict[Word, tuple[Choice, tuple[EventBody, ...]]] = {  # after the question to accept: the choice, the next job
    "accepting": ("accept", (JobStarted(),)),
    "accepted": ("accept", (JobStarted(), JobFinished("done", "x is a manager now."))),
    "rejecting": ("reject", ()),
    "rejected": ("reject", (JobStarted(), JobFinished("done", "x stays in the swarm as a worker."))),
    "removed": ("remove", (JobStarted(), JobFinished("done", "x was removed from the swarm."))),
    "not promoted": ("accept", (JobStarted(), JobFinished("refused", "a manager is unreachable"))),
}
EVERY: tuple[Word, ...] = (*ALL, *DECIDED)


def host_plan(host: str, role: Role = "worker", wave: int = 0, *findings: Finding) -> HostPlan:
    return HostPlan(host, role, len(STEPS), wave, "1 manager (survives no loss)", "w4rn", findings)


def host_run(host: str, word: Word) -> RunState:
    """Return a host's own run, 60 s old."""
    if word in DECIDED:
        return _decided_run(host, *DECIDED[word])
    cancels = {"kept": (Decision(1, "cancel", BOB, AT + 50),), "declined": (Decision(1, "cancel", BOB, AT + 50),)}
    record = RunRecord(
        f"run-{host}", Migrate(host), f"migrate {host}", ALICE, "C01OPS", AT, 1, cancels.get(word, ()), FLEET
    )
    events = [Event(record.run, 1, number, AT + number, body) for number, body in enumerate(EVENTS_BY_WORD[word], 1)]
    rq: QueueStatus = "lost" if word == "lost" else "running" if word == "running" else "finished"
    return fold(record, EventLog(tuple(events)), "queued" if word == "queued" else rq, AT + 60)


def _decided_run(host: str, choice: Choice, bodies: tuple[EventBody, ...]) -> RunState:
    """Return the run of a host that has joined as a manager-to-be, after someone decided on it."""
    decisions = (Decision(1, choice, BOB, AT + 40),)
    record = RunRecord(f"run-{host}", Migrate(host), f"migrate {host}", ALICE, "C01OPS", AT, 2, decisions, FLEET)
    first = [Event(record.run, 1, n, AT + n, body) for n, body in enumerate(EVENTS_BY_WORD["accept"], 1)]
    second = [Event(record.run, 2, n, AT + 40 + n, body) for n, body in enumerate(bodies, 1)]
    return fold(record, EventLog((*first, *second)), "running", AT + 60)


def build_fleet(
    hosts: Sequence[tuple[HostPlan, Word]],
    *,
    started: bool = True,
    hold: str = "",
    parallel: int = 2,
    result: tuple[str, ...] = (),
    findings: tuple[Finding, ...] = (),
) -> FleetState:
    decisions = (Decision(1, "start", BOB, AT + 5),) if started else ()
    record = RunRecord(FLEET, MigrateAll(), "migrate all", ALICE, "C01OPS", AT, 1, decisions)
    fleet_plan = FleetPlanned(tuple(plan for plan, _ in hosts), result, findings, parallel)
    end = DecisionRequested("start_fleet", "f00d") if hosts else JobFinished("unchanged", "nothing to do")
    bodies: tuple[EventBody, ...] = (JobStarted(), fleet_plan, end)
    run = fold(
        record,
        EventLog(tuple([Event(FLEET, 1, n, AT + n, body) for n, body in enumerate(bodies, 1)])),
        "finished",
        AT + 60,
    )
    host_runs = {item.host: host_run(item.host, word) for item, word in hosts if word != "pending"}
    state = fold_fleet(run, host_runs, Hold(hold, BOB, AT + 30) if hold else None)  # type: ignore[arg-type]
    assert state is not None
    return state
