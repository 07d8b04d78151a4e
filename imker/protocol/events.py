"""Define the events that a job emits, in order. Pure."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from imker.clock import Timestamp
from imker.protocol.next_command import NextCommands
from imker.protocol.service_events import ServiceDetails, ServiceTable
from imker.protocol.values import (
    Candidate,
    ContainerRow,
    Finding,
    HostPlan,
    HostRow,
    NodeRow,
    Quorum,
    StepLine,
    UnixSeconds,
)
from imker.protocol.version import PROTOCOL_VERSION


@dataclass(frozen=True)
class JobStarted:
    """The job has started. `host`: its host, "" for the whole fleet."""

    host: str = ""
    type: Literal["job_started"] = "job_started"


@dataclass(frozen=True)
class Planned:
    """The plan: for `/swarm plan` only shown. `diff`: changes of the daemon options, secrets masked."""

    steps: tuple[StepLine, ...]
    findings: tuple[Finding, ...] = ()
    diff: str = ""
    fingerprint: str = ""
    type: Literal["planned"] = "planned"


@dataclass(frozen=True)
class StepStarted:
    """A step has started. `key`: of its StepLine."""

    key: str
    type: Literal["step_started"] = "step_started"


@dataclass(frozen=True)
class StepProgress:
    """The latest output line of a running step."""

    key: str
    text: str
    type: Literal["step_progress"] = "step_progress"


@dataclass(frozen=True)
class StepDone:
    """A step has succeeded. `summary`: one line, "" for none."""

    key: str
    summary: str = ""
    type: Literal["step_done"] = "step_done"


@dataclass(frozen=True)
class StepFailed:
    """A step has failed. `summary`: one line."""

    key: str
    summary: str
    type: Literal["step_failed"] = "step_failed"


@dataclass(frozen=True)
class FileChanged:
    """A file is about to change, or was changed by a package manager.

    `old_sha256`, `new_sha256`: digest of the text in hex, "" for a file that does not exist.
    """

    host: str
    path: str
    old_sha256: str
    new_sha256: str
    type: Literal["file_changed"] = "file_changed"


@dataclass(frozen=True)
class ThreadDetail:
    """Text for the run's thread: a diff, or the end of a package manager's output."""

    title: str
    text: str
    type: Literal["thread_detail"] = "thread_detail"


@dataclass(frozen=True)
class ChecksCompleted:
    """The results of the doctor's checks."""

    findings: tuple[Finding, ...]
    type: Literal["checks_completed"] = "checks_completed"


@dataclass(frozen=True)
class HostTable:
    """The hosts of the inventory, for `/swarm hosts`."""

    rows: tuple[HostRow, ...]
    type: Literal["host_table"] = "host_table"


@dataclass(frozen=True)
class NodeTable:
    """The nodes of the swarm, for `/swarm nodes`.

    `answered_by`: the manager's host; `taken_at`: UNIX seconds; `stale_reason`: why the table is old, "" if it is not.
    """

    answered_by: str
    taken_at: UnixSeconds
    rows: tuple[NodeRow, ...]
    stale_reason: str = ""
    type: Literal["node_table"] = "node_table"


@dataclass(frozen=True)
class ContainerSnapshot:
    """The Engine version and the containers of a host, before or after the migration."""

    phase: Literal["before", "after"]
    host: str
    engine: str
    containers: tuple[ContainerRow, ...]
    type: Literal["container_snapshot"] = "container_snapshot"


@dataclass(frozen=True)
class FleetPlanned:
    """The plan for a fleet, host by host.

    `done_hosts`: hosts with nothing to do; `findings`: those of the fleet as a whole; `parallel`: how many hosts are
    migrated at the same time; `pause_seconds`: between the end of a host and the start of the next one.
    """

    host_plans: tuple[HostPlan, ...]
    done_hosts: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    parallel: int = 1
    pause_seconds: float = 0.0
    type: Literal["fleet_planned"] = "fleet_planned"


Question = Literal[
    "accept", "continue", "start", "start_fleet", "resume", "start_containers", "stop_store", "remove_store"
]


@dataclass(frozen=True)
class DecisionRequested:
    """The job ended with a question for a user.

    accept: make the candidate a manager? · continue: continue despite warnings? · start: run the plan? · start_fleet:
    start a fleet's migration? · resume: resume after a pause? · start_containers: start the containers `names` on
    `host`, which ran before? · stop_store: stop the unused key-value store on `host`? · remove_store: remove it after
    it was stopped?
    `summary`: true whatever the answer is; `user`: Slack ID of the user who paused; `approval_problem`: why an approval
    was not enough; `next_commands`: commands for what else remains to be done; `services`: full names of the services
    that the plan changes. Accepting takes
    `required_approvals` different users within `valid_seconds` of `asked_at`.
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
    next_commands: NextCommands = ()
    services: tuple[str, ...] = ()
    type: Literal["decision_requested"] = "decision_requested"


Outcome = Literal["done", "unchanged", "refused", "failed", "rolled_back", "cancelled"]


@dataclass(frozen=True)
class JobFinished:
    """The job has ended.

    `state`: the state of the host; `hint`: what to do next; `user`: Slack ID of the user who cancelled, "" for none;
    `next_commands`: what to type next, shown after the hint.
    """

    outcome: Outcome
    summary: str
    state: str = ""
    hint: str = ""
    user: str = ""
    next_commands: NextCommands = ()
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
    | ServiceTable
    | ServiceDetails
    | DecisionRequested
    | JobFinished,
    Field(discriminator="type"),
]


@dataclass(frozen=True)
class Event:
    """One event of a job. `number` counts from 1: readers drop repeats of (run, job, number). `at`: UNIX seconds."""

    run: str
    job: int
    number: int
    at: UnixSeconds
    body: EventBody
    protocol_version: int = PROTOCOL_VERSION
