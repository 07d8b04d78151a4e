"""Fold a run's record, events, and job status into its current state.

Total: accepts any events, in any order, with repeats. Pure.
"""

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
from imker.protocol.service_events import ServiceDetails, ServiceTable
from imker.protocol.values import Finding

# Seconds that the clocks of two machines may differ. The RQ worker that asked the question checks the deadline exactly.
CLOCK_TOLERANCE = 60.0
StepStatus = Literal["pending", "running", "done", "failed"]
RunStatus = Literal["queued", "running", "waiting", "finished", "lost"]


@dataclass(frozen=True)
class StepState:
    """A step of a run's plan.

    `started_at` and `ended_at`: UNIX seconds, None before the step starts or ends. `note`: its latest output line.
    """

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
    """Everything that a message shows of a run.

    `now` and `finished_at`: UNIX seconds. `details` have keys, so that each is posted once. `expired`: the open
    question can no longer be accepted. `other_protocol`: a protocol version that some events use and the bot does not
    know. `has_unsigned_entries`: the stream has entries with an invalid signature.
    """

    record: RunRecord
    status: RunStatus
    now: float
    steps: tuple[StepState, ...] = ()
    findings: tuple[Finding, ...] = ()
    diff: str = ""
    table: HostTable | NodeTable | ServiceTable | None = None
    service: ServiceDetails | None = None
    question: DecisionRequested | None = None
    decisions: tuple[Decision, ...] = ()
    outcome: JobFinished | None = None
    finished_at: float | None = None
    details: tuple[tuple[str, ThreadDetail], ...] = ()
    fleet: FleetPlanned | None = None
    container_snapshots: tuple[ContainerSnapshot, ...] = ()
    expired: bool = False
    other_protocol: int | None = None
    has_unsigned_entries: bool = False


def fold(
    record: RunRecord, log: EventLog, job_status: QueueStatus, now: float, at: Timestamp | None = None
) -> RunState:
    """Return the run's current state.

    `job_status` is RQ's status of the last job: a job that crashes emits no last event. `now`: UNIX seconds. `at`: the
    same time by a clock that cannot be set. Without it no question expires.
    """
    ordered = sorted(
        {(event.job, event.number): event for event in log.events}.values(), key=lambda e: (e.job, e.number)
    )
    state = RunState(
        record,
        "queued",
        now,
        decisions=record.decisions,
        other_protocol=log.other_version,
        has_unsigned_entries=log.has_unsigned_entries,
    )
    finished_jobs: set[int] = set()  # a job emits nothing after its outcome
    for event in ordered:
        if event.job not in finished_jobs:
            state = _apply(state, event)
        if isinstance(event.body, JobFinished | DecisionRequested):
            finished_jobs.add(event.job)
    status = _status(state, log.last_job, job_status)
    expired = status == "waiting" and _expired(state.question, at)
    return replace(state, status=status, steps=_close_running_steps(state, status), expired=expired)


def _expired(question: DecisionRequested | None, at: Timestamp | None) -> bool:
    if question is None or question.asked_at is None or at is None:
        return False
    return not -CLOCK_TOLERANCE <= seconds_between(question.asked_at, at) <= question.valid_seconds


def _apply(state: RunState, event: Event) -> RunState:
    match event.body:
        case Planned(steps, findings, diff):
            started_steps = tuple(step for step in state.steps if step.status != "pending")
            new_steps = tuple(StepState(line.key, line.title, line.detail, job=event.job) for line in steps)
            return replace(state, steps=started_steps + new_steps, findings=findings, diff=diff or state.diff)
        case StepStarted(key):
            return _update_step(state, event, key, status="running", started_at=event.at)
        case StepProgress(key, text):
            return _update_step(state, event, key, note=text)
        case StepDone(key, note):
            return _update_step(state, event, key, status="done", note=note, ended_at=event.at)
        case StepFailed(key, note):
            return _update_step(state, event, key, status="failed", note=note, ended_at=event.at)
        case FileChanged():
            return state
        case ChecksCompleted(findings):
            return replace(state, findings=findings)
        case ThreadDetail() as detail if any(known_detail == detail for _, known_detail in state.details):
            return state  # the run's next job found the same
        case ThreadDetail() as detail:
            return replace(state, details=(*state.details, (f"{event.job}-{event.number}", detail)))
        case FleetPlanned() as fleet:
            return replace(state, fleet=fleet, findings=fleet.findings)
        case ContainerSnapshot() as snapshot:
            return replace(state, container_snapshots=(*state.container_snapshots, snapshot))
        case HostTable() | NodeTable() | ServiceTable() as table:
            return replace(state, table=table)
        case ServiceDetails() as service:
            return replace(state, service=service)
        case DecisionRequested() as question:
            return replace(state, question=question, outcome=None)
        case JobFinished() as outcome:
            return replace(state, outcome=outcome, question=None, finished_at=event.at)
        case _:
            return replace(state, question=None, outcome=None, finished_at=None)


def _update_step(state: RunState, event: Event, key: str, **change: object) -> RunState:
    steps = tuple(
        replace(step, **change) if (step.key, step.job) == (key, event.job) else step  # type: ignore[arg-type]
        for step in state.steps
    )
    return replace(state, steps=steps)


def _close_running_steps(state: RunState, status: RunStatus) -> tuple[StepState, ...]:
    """Mark steps as failed that were running when the run stopped: a crashed job reports no end of them."""
    if status not in ("finished", "lost"):
        return state.steps
    return tuple(replace(step, status="failed") if step.status == "running" else step for step in state.steps)


def _status(state: RunState, last_job: int, job_status: QueueStatus) -> RunStatus:
    has_reported = last_job == state.record.job_count
    if has_reported and state.outcome:
        return "finished"
    if has_reported and state.question:
        return "finished" if is_cancelled(state) else "waiting"
    if job_status == "lost" or (job_status == "finished" and state.other_protocol is not None):
        return "lost"
    return "running" if has_reported else "queued"


def reported_nodes(events: Iterable[Event]) -> frozenset[str]:
    """Return the IDs of all nodes that these events showed: of candidates and of node tables."""
    bodies = [event.body for event in events]
    candidates = {body.candidate.node for body in bodies if isinstance(body, DecisionRequested) and body.candidate}
    tables = ({row.id for row in body.rows} for body in bodies if isinstance(body, NodeTable))
    return frozenset(candidates.union(*tables))


def pending_node(state: RunState) -> str:
    """Return the ID of the node that waits to be accepted, "" if there is none."""
    return state.question.candidate.node if state.question and state.question.candidate else ""


def current_decision(state: RunState) -> Decision | None:
    """Return the decision on the question of the run's last job."""
    return next((decision for decision in state.decisions if decision.job == state.record.job_count), None)


def is_cancelled(state: RunState) -> bool:
    """Return whether the question of the run's last job was answered with "cancel"."""
    decision = current_decision(state)
    return decision is not None and decision.choice == "cancel"


def rejection(state: RunState) -> Decision | None:
    """Return the decision that rejected the run's manager, None if there is none."""
    return next((each for each in reversed(state.decisions) if each.choice in ("reject", "remove")), None)


def latest_started_step(state: RunState) -> StepState | None:
    """Return the last step that started, None if none did."""
    started = [step for step in state.steps if step.status != "pending"]
    return started[-1] if started else None
