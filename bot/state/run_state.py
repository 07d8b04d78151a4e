"""A run as it stands, folded from all that is known of it. Pure and total: any events, any order, repeats."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from bot.records import Decision, QueueStatus, RunRecord
from imker.clock import Timestamp, seconds_between
from imker.protocol.event_log import EventLog
from imker.protocol.events import (
    ChecksCompleted,
    ContainerSnapshot,
    DecisionRequested,
    Event,
    FileChanged,
    FleetPlanned,
    HostTable,
    JobFinished,
    NodeTable,
    Planned,
    StepDone,
    StepFailed,
    StepProgress,
    StepStarted,
    ThreadDetail,
)
from imker.protocol.values import Finding

CLOCK_TOLERANCE = 60.0  # seconds that the clocks of two machines may differ; the RQ worker that asked has the last word
StepStatus = Literal["pending", "running", "done", "failed"]
RunStatus = Literal["queued", "running", "waiting", "over", "lost"]


@dataclass(frozen=True)
class StepState:
    """`started`, `ended`: UNIX seconds, None while it has not; `note`: its latest word."""

    key: str
    title: str
    detail: str
    status: StepStatus = "pending"
    note: str = ""
    started_at: float | None = None
    ended_at: float | None = None
    job: int = 1


@dataclass(frozen=True)
class RunState:
    """All that a message shows of a run. `details` have keys, so that each is posted once; `now`: UNIX seconds."""

    record: RunRecord
    status: RunStatus
    now: float
    steps: tuple[StepState, ...] = ()
    findings: tuple[Finding, ...] = ()
    diff: str = ""
    table: HostTable | NodeTable | None = None
    question: DecisionRequested | None = None
    decisions: tuple[Decision, ...] = ()
    outcome: JobFinished | None = None
    finished_at: float | None = None
    details: tuple[tuple[str, ThreadDetail], ...] = ()
    fleet: FleetPlanned | None = None
    container_snapshots: tuple[ContainerSnapshot, ...] = ()
    expired: bool = False
    other_protocol: int | None = None  # a contract that some of its events speak, and this side does not
    has_unsigned_entries: bool = False  # whether its stream holds what Imker did not write, or with another key


def fold(
    record: RunRecord, log: EventLog, job_status: QueueStatus, now: float, at: Timestamp | None = None
) -> RunState:
    """`job_state` is RQ's word on the run's last job: a job that died writes no last event.

    `at`: the same as `now`, UNIX seconds, by a clock that cannot be set; without it no question expires.
    """
    ordered = sorted(
        {(event.job, event.number): event for event in log.events}.values(), key=lambda e: (e.job, e.number)
    )
    view = RunState(
        record,
        "queued",
        now,
        decisions=record.decisions,
        other_protocol=log.other_version,
        has_unsigned_entries=log.has_unsigned_entries,
    )
    ended: set[int] = set()  # jobs that told their outcome, which is a job's last event
    for event in ordered:
        if event.job not in ended:
            view = _apply(view, event)
        if isinstance(event.body, JobFinished | DecisionRequested):
            ended.add(event.job)
    state = _status(view, log.last_job, job_status)
    expired = state == "waiting" and _expired(view.question, at)
    return replace(view, status=state, steps=_close_running_steps(view, state), expired=expired)


def _expired(waiting: DecisionRequested | None, at: Timestamp | None) -> bool:
    if waiting is None or waiting.asked_at is None or at is None:
        return False
    return not -CLOCK_TOLERANCE <= seconds_between(waiting.asked_at, at) <= waiting.valid_seconds


def _apply(view: RunState, event: Event) -> RunState:
    match event.body:
        case Planned(steps, findings, diff):
            started_steps = tuple(step for step in view.steps if step.status != "pending")
            new_steps = tuple(StepState(line.key, line.title, line.detail, job=event.job) for line in steps)
            return replace(view, steps=started_steps + new_steps, findings=findings, diff=diff or view.diff)
        case StepStarted(key):
            return _step(view, event, key, status="running", started_at=event.at)
        case StepProgress(key, text):
            return _step(view, event, key, note=text)
        case StepDone(key, note):
            return _step(view, event, key, status="done", note=note, ended_at=event.at)
        case StepFailed(key, note):
            return _step(view, event, key, status="failed", note=note, ended_at=event.at)
        case FileChanged():
            return view
        case ChecksCompleted(findings):
            return replace(view, findings=findings)
        case ThreadDetail() as detail if any(known_detail == detail for _, known_detail in view.details):
            return view  # the next job of the run found the same
        case ThreadDetail() as detail:
            return replace(view, details=(*view.details, (f"{event.job}-{event.number}", detail)))
        case FleetPlanned() as fleet:
            return replace(view, fleet=fleet, findings=fleet.findings)
        case ContainerSnapshot() as census:
            return replace(view, container_snapshots=(*view.container_snapshots, census))
        case HostTable() | NodeTable() as table:
            return replace(view, table=table)
        case DecisionRequested() as waiting:
            return replace(view, question=waiting, outcome=None)
        case JobFinished() as outcome:
            return replace(view, outcome=outcome, question=None, finished_at=event.at)
        case _:
            return replace(view, question=None, outcome=None, finished_at=None)


def _step(view: RunState, event: Event, key: str, **change: object) -> RunState:
    steps = tuple(
        replace(step, **change) if (step.key, step.job) == (key, event.job) else step  # type: ignore[arg-type]
        for step in view.steps
    )
    return replace(view, steps=steps)


def _close_running_steps(view: RunState, state: RunStatus) -> tuple[StepState, ...]:
    """No step goes on in a run that does not: what broke off in the middle of one has told no end of it."""
    if state not in ("over", "lost"):
        return view.steps
    return tuple(replace(step, status="failed") if step.status == "running" else step for step in view.steps)


def _status(view: RunState, last_job: int, job_status: QueueStatus) -> RunStatus:
    has_reported = last_job == view.record.job_count
    if has_reported and view.outcome:
        return "over"
    if has_reported and view.question:
        return "over" if is_cancelled(view) else "waiting"
    if job_status == "lost" or (job_status == "over" and view.other_protocol is not None):
        return "lost"
    return "running" if has_reported else "queued"


def reported_nodes(events: Iterable[Event]) -> frozenset[str]:
    """The IDs of all nodes that people were shown: of those that waited, and of a table's."""
    bodies = [event.body for event in events]
    waited = {body.candidate.node for body in bodies if isinstance(body, DecisionRequested) and body.candidate}
    return frozenset(waited.union(*({row.id for row in body.rows} for body in bodies if isinstance(body, NodeTable))))


def pending_node(view: RunState) -> str:
    """The ID of the node that waits to be accepted, "" if none does."""
    return view.question.candidate.node if view.question and view.question.candidate else ""


def current_decision(view: RunState) -> Decision | None:
    """The decision on the question that the run's last job asked."""
    return next((decision for decision in view.decisions if decision.job == view.record.job_count), None)


def is_cancelled(view: RunState) -> bool:
    decision = current_decision(view)
    return decision is not None and decision.choice == "cancel"


def latest_started_step(view: RunState) -> StepState | None:
    """The step that a run had reached."""
    started = [step for step in view.steps if step.status != "pending"]
    return started[-1] if started else None
