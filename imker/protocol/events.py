"""What the jobs tell: the events of a run, in order."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from imker.clock import Timestamp
from imker.protocol.values import Candidate, ContainerRow, Finding, HostPlan, HostRow, NodeRow, Quorum, StepLine
from imker.protocol.version import PROTOCOL_VERSION

UnixSeconds = Annotated[float, Field(ge=0, lt=1e11)]  # seconds; neither infinity nor the year 5138


@dataclass(frozen=True)
class JobStarted:
    """The job runs. `host`: what it is about, "" for the whole fleet."""

    host: str = ""
    type: Literal["job_started"] = "job_started"


@dataclass(frozen=True)
class Planned:
    """What will be done, or, for `/swarm plan`, would be. `diff`: the daemon's options, secrets masked."""

    steps: tuple[StepLine, ...]
    findings: tuple[Finding, ...] = ()
    diff: str = ""
    fingerprint: str = ""
    type: Literal["planned"] = "planned"


@dataclass(frozen=True)
class StepStarted:
    key: str
    type: Literal["step_started"] = "step_started"


@dataclass(frozen=True)
class StepProgress:
    """A running step's latest word, one line."""

    key: str
    text: str
    type: Literal["step_progress"] = "step_progress"


@dataclass(frozen=True)
class StepDone:
    key: str
    summary: str = ""
    type: Literal["step_done"] = "step_done"


@dataclass(frozen=True)
class StepFailed:
    key: str
    summary: str
    type: Literal["step_failed"] = "step_failed"


@dataclass(frozen=True)
class FileChanged:
    """Told before it is done, when it is Imker that does it.

    `before`, `after`: SHA-256 of the text in hex, "" for a file that is not there.
    """

    host: str
    path: str
    old_sha256: str
    new_sha256: str
    type: Literal["file_changed"] = "file_changed"


@dataclass(frozen=True)
class ThreadDetail:
    """What belongs into the run's thread: a diff, the tail of a package manager's output."""

    title: str
    text: str
    type: Literal["thread_detail"] = "thread_detail"


@dataclass(frozen=True)
class ChecksCompleted:
    """What the doctor found."""

    findings: tuple[Finding, ...]
    type: Literal["checks_completed"] = "checks_completed"


@dataclass(frozen=True)
class HostTable:
    rows: tuple[HostRow, ...]
    type: Literal["host_table"] = "host_table"


@dataclass(frozen=True)
class NodeTable:
    """`asked`: the manager that answered. `taken_at`: UNIX seconds; `stale`: why it is not of now, else ""."""

    answered_by: str
    taken_at: UnixSeconds
    rows: tuple[NodeRow, ...]
    stale_reason: str = ""
    type: Literal["node_table"] = "node_table"


@dataclass(frozen=True)
class ContainerSnapshot:
    """A host's Engine and containers, before it was touched and after."""

    phase: Literal["before", "after"]
    host: str
    engine: str
    containers: tuple[ContainerRow, ...]
    type: Literal["container_snapshot"] = "container_snapshot"


@dataclass(frozen=True)
class FleetPlanned:
    """A fleet's migration, leg by leg. `done`: hosts that need nothing; `findings`: what is about no one host;

    `parallel`: how many legs of one wave go on at the same time.
    """

    host_plans: tuple[HostPlan, ...]
    done_hosts: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    parallel: int = 1
    type: Literal["fleet_planned"] = "fleet_planned"


Question = Literal["accept", "continue", "start_fleet", "resume", "start_containers", "stop_store", "remove_store"]


@dataclass(frozen=True)
class DecisionRequested:
    """The job ended with a question for a person.

    accept: make the candidate a manager? · continue: go on despite warnings? · start: begin a fleet's migration? ·
    resume: go on after a pause? · containers: start again `names` that ran on `host`? · stop: the key-value store on
    `host`, which nobody needs? · store: remove it, now that it is stopped?
    `summary`: what is so whatever the answer; `by`: whose word it stopped for, a Slack user ID; `refused`: why a yes
    was not enough, in Imker's own words. To accept takes `needed` different people, within `seconds` of `asked`.
    """

    question: Question
    fingerprint: str
    candidate: Candidate | None = None
    quorum: Quorum | None = None
    host: str = ""
    names: tuple[str, ...] = ()
    summary: str = ""
    required_approvals: int = 1
    asked_at: Timestamp | None = None
    valid_seconds: float = 0.0
    user: str = ""
    approval_problem: str = ""
    type: Literal["decision_requested"] = "decision_requested"


Outcome = Literal["done", "unchanged", "refused", "failed", "rolled_back", "cancelled"]


@dataclass(frozen=True)
class JobFinished:
    """The job's last word. `state`: in what state the host was left; `hint`: what to type next; `by`: whose word it

    was, a Slack user ID.
    """

    outcome: Outcome
    summary: str
    state: str = ""
    hint: str = ""
    user: str = ""
    type: Literal["job_finished"] = "job_finished"


EventBody = Annotated[
    JobStarted
    | Planned
    | FleetPlanned
    | StepStarted
    | StepProgress
    | StepDone
    | StepFailed
    | FileChanged
    | ThreadDetail
    | ContainerSnapshot
    | ChecksCompleted
    | HostTable
    | NodeTable
    | DecisionRequested
    | JobFinished,
    Field(discriminator="type"),
]


@dataclass(frozen=True)
class Event:
    """`number` counts a job's events from 1: readers drop repeats of (run, job, number). `at`: UNIX seconds."""

    run: str
    job: int
    number: int
    at: UnixSeconds
    body: EventBody
    protocol_version: int = PROTOCOL_VERSION
