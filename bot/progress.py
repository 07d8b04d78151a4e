"""A run as it stands, folded from all that is known of it. Pure and total: any events, any order, repeats."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from bot.record import Decision, JobState, RunRecord
from imker.moment import Moment, between
from jobs.contract import (
    Census,
    Detail,
    Ended,
    Event,
    Examined,
    FileChanged,
    Finding,
    FleetPlanned,
    HostTable,
    NodeTable,
    Planned,
    StepDone,
    StepFailed,
    StepNote,
    StepStarted,
    Unread,
    Unsealed,
    Waiting,
)

SKEW = 60.0  # seconds that the clocks of two machines may differ; the RQ worker that asked has the last word
StepState = Literal["pending", "running", "done", "failed"]
State = Literal["queued", "running", "waiting", "over", "lost"]


@dataclass(frozen=True)
class StepView:
    """`started`, `ended`: UNIX seconds, None while it has not; `note`: its latest word."""

    key: str
    title: str
    detail: str
    state: StepState = "pending"
    note: str = ""
    started: float | None = None
    ended: float | None = None
    job: int = 1


@dataclass(frozen=True)
class RunView:
    """All that a message shows of a run. `details` have keys, so that each is posted once; `now`: UNIX seconds."""

    record: RunRecord
    state: State
    now: float
    steps: tuple[StepView, ...] = ()
    findings: tuple[Finding, ...] = ()
    diff: str = ""
    table: HostTable | NodeTable | None = None
    waiting: Waiting | None = None
    decisions: tuple[Decision, ...] = ()
    ended: Ended | None = None
    finished_at: float | None = None
    details: tuple[tuple[str, Detail], ...] = ()
    fleet: FleetPlanned | None = None
    censuses: tuple[Census, ...] = ()
    expired: bool = False
    foreign: int | None = None  # a contract that some of its events speak, and this side does not
    unsealed: bool = False  # whether its stream holds what Imker did not write, or with another key


def fold(
    record: RunRecord, events: Iterable[Event], job_state: JobState, now: float, at: Moment | None = None
) -> RunView:
    """`job_state` is RQ's word on the run's last job: a job that died writes no last event.

    `at`: the same as `now`, UNIX seconds, by a clock that cannot be set; without it no question expires.
    """
    ordered = sorted({(event.job, event.number): event for event in events}.values(), key=lambda e: (e.job, e.number))
    view = RunView(record, "queued", now, decisions=record.decisions)
    ended: set[int] = set()  # jobs that told their outcome, which is a job's last event
    for event in ordered:
        if event.job not in ended or isinstance(event.body, Unread):
            view = _with(view, event)
        if isinstance(event.body, Ended | Waiting):
            ended.add(event.job)
    state = _state(view, ordered, job_state)
    expired = state == "waiting" and _expired(view.waiting, at)
    return replace(view, state=state, steps=_stopped(view, state), expired=expired)


def _expired(waiting: Waiting | None, at: Moment | None) -> bool:
    if waiting is None or waiting.asked is None or at is None:
        return False
    return not -SKEW <= between(waiting.asked, at) <= waiting.seconds


def _with(view: RunView, event: Event) -> RunView:
    match event.body:
        case Planned(steps, findings, diff):
            kept = tuple(step for step in view.steps if step.state != "pending")
            fresh = tuple(StepView(line.key, line.title, line.detail, job=event.job) for line in steps)
            return replace(view, steps=kept + fresh, findings=findings, diff=diff or view.diff)
        case StepStarted(key):
            return _step(view, event, key, state="running", started=event.at)
        case StepNote(key, text):
            return _step(view, event, key, note=text)
        case StepDone(key, note):
            return _step(view, event, key, state="done", note=note, ended=event.at)
        case StepFailed(key, note):
            return _step(view, event, key, state="failed", note=note, ended=event.at)
        case FileChanged():
            return view
        case Examined(findings):
            return replace(view, findings=findings)
        case Detail() as detail if any(told == detail for _, told in view.details):
            return view  # the next job of the run found the same
        case Detail() as detail:
            return replace(view, details=(*view.details, (f"{event.job}-{event.number}", detail)))
        case FleetPlanned() as fleet:
            return replace(view, fleet=fleet, findings=fleet.findings)
        case Census() as census:
            return replace(view, censuses=(*view.censuses, census))
        case HostTable() | NodeTable() as table:
            return replace(view, table=table)
        case Waiting() as waiting:
            return replace(view, waiting=waiting, ended=None)
        case Ended() as ended:
            return replace(view, ended=ended, waiting=None, finished_at=event.at)
        case Unread(contract):
            return replace(view, foreign=contract)
        case Unsealed():
            return replace(view, unsealed=True)
        case _:
            return replace(view, waiting=None, ended=None, finished_at=None)


def _step(view: RunView, event: Event, key: str, **change: object) -> RunView:
    steps = tuple(
        replace(step, **change) if (step.key, step.job) == (key, event.job) else step  # type: ignore[arg-type]
        for step in view.steps
    )
    return replace(view, steps=steps)


def _stopped(view: RunView, state: State) -> tuple[StepView, ...]:
    """No step goes on in a run that does not: what broke off in the middle of one has told no end of it."""
    if state not in ("over", "lost"):
        return view.steps
    return tuple(replace(step, state="failed") if step.state == "running" else step for step in view.steps)


def _state(view: RunView, events: list[Event], job_state: JobState) -> State:
    last = events[-1].job if events else 0
    heard = last == view.record.jobs
    if heard and view.ended:
        return "over"
    if heard and view.waiting:
        return "over" if cancelled(view) else "waiting"
    if job_state == "lost" or (job_state == "over" and view.foreign is not None):
        return "lost"
    return "running" if heard else "queued"


def nodes_told(events: Iterable[Event]) -> frozenset[str]:
    """The IDs of all nodes that people were shown: of those that waited, and of a table's."""
    bodies = [event.body for event in events]
    waited = {body.candidate.node for body in bodies if isinstance(body, Waiting) and body.candidate}
    return frozenset(waited.union(*({row.id for row in body.rows} for body in bodies if isinstance(body, NodeTable))))


def pending(view: RunView) -> str:
    """The ID of the node that waits to be accepted, "" if none does."""
    return view.waiting.candidate.node if view.waiting and view.waiting.candidate else ""


def decided(view: RunView) -> Decision | None:
    """The decision on the question that the run's last job asked."""
    return next((decision for decision in view.decisions if decision.job == view.record.jobs), None)


def cancelled(view: RunView) -> bool:
    decision = decided(view)
    return decision is not None and decision.verdict == "cancel"


def last_step(view: RunView) -> StepView | None:
    """The step that a run had reached."""
    begun = [step for step in view.steps if step.state != "pending"]
    return begun[-1] if begun else None
