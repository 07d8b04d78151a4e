"""What jobs accept and what they tell: all that the bot may know of them.

In: values. Out: values and their JSON. No I/O, no clock; nothing of Redis, RQ, Slack or a host's libraries lives here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, TypeAdapter

from imker.moment import Moment

CONTRACT = 1  # raised when an older side could misread a message; an unknown one is refused in words

# --- names both sides meet under in Redis ------------------------------------------------------------------------

CHANGES, READS = "changes", "reads"  # RQ queues, one RQ worker process each
JOB_FUNCTION = "jobs.run.run"  # the one function an RQ worker runs
BELL = "imker:bell"  # pub/sub: a run's ID, whenever it has something new
INVENTORY = "imker:inventory"  # JSON list of host names, for near misses; never what a right is decided by


def events_key(run: str) -> str:
    return f"run:{run}:events"


def hold_key(run: str) -> str:
    """A Hold on a run, "pause" or "cancel": looked at between steps, never within one."""
    return f"run:{run}:hold"


def used_key(run: str, job: int) -> str:
    """That a request was taken up: it is, once."""
    return f"imker:used:{job_id(run, job)}"


def job_id(run: str, job: int) -> str:
    return f"{run}-{job}"


# --- what is asked -------------------------------------------------------------------------------------------------

Role = Literal["manager", "worker"]


@dataclass(frozen=True)
class Hosts:
    type: Literal["hosts"] = "hosts"


@dataclass(frozen=True)
class Nodes:
    type: Literal["nodes"] = "nodes"


@dataclass(frozen=True)
class Doctor:
    """Look at what the jobs need: inventory, keys, certificates, hosts."""

    type: Literal["doctor"] = "doctor"


@dataclass(frozen=True)
class PlanHost:
    host: str
    role: Role | None = None
    docker_group: bool = False
    type: Literal["plan"] = "plan"


@dataclass(frozen=True)
class Migrate:
    host: str
    role: Role | None = None  # None: the inventory's
    docker_group: bool = False  # whether to put the SSH user into it
    type: Literal["migrate"] = "migrate"


@dataclass(frozen=True)
class Accept:
    """Promote a pending node to manager. `node`: a node ID or an unambiguous prefix."""

    node: str
    type: Literal["accept"] = "accept"


@dataclass(frozen=True)
class Reject:
    """Leave a pending node a worker, or, with `remove`, take it out of the swarm."""

    node: str
    remove: bool = False
    type: Literal["reject"] = "reject"


@dataclass(frozen=True)
class MigrateAll:
    """Asks how the whole inventory would be moved, and in what order; each host's own run follows from its answer."""

    without: tuple[str, ...] = ()
    type: Literal["migrate_all"] = "migrate_all"


@dataclass(frozen=True)
class StartContainers:
    host: str
    names: tuple[str, ...]
    type: Literal["start"] = "start"


@dataclass(frozen=True)
class RetireStore:
    """Stops the key-value store that nobody needs any more; removes it once somebody said yes to that."""

    host: str
    type: Literal["retire"] = "retire"


Command = Annotated[
    Hosts | Nodes | PlanHost | Migrate | Accept | Reject | MigrateAll | StartContainers | RetireStore | Doctor,
    Field(discriminator="type"),
]


def queue_of(command: Command) -> str:
    return READS if isinstance(command, Hosts | Nodes | PlanHost | MigrateAll | Doctor) else CHANGES


@dataclass(frozen=True)
class Hold:
    """`by`: Slack user ID; `at`: UNIX seconds."""

    what: Literal["pause", "cancel", "resume"]
    by: str
    at: float


@dataclass(frozen=True)
class Approval:
    """A person's yes to what a `Waiting` event showed; `fingerprint` is that event's. `at`: UNIX seconds."""

    by: str
    fingerprint: str
    at: float


@dataclass(frozen=True)
class Request:
    """One RQ job, signed as a whole, and good for once: (run, job) never comes again.

    `job` counts the jobs of a run from 1; `asker`: a Slack user ID; `approvals`: each another person's; `part_of`: a
    fleet's run; `within`: patterns of the hosts that the bot checked the right for; `expires`: UNIX seconds;
    `channel`: where it was asked, for the record.
    """

    run: str
    job: int
    command: Command
    asker: str
    approvals: tuple[Approval, ...] = ()
    part_of: str = ""
    within: tuple[str, ...] = ("*",)
    expires: float = 0.0
    contract: int = CONTRACT
    channel: str = ""


# --- what is told --------------------------------------------------------------------------------------------------

Level = Literal["pass", "warn", "block"]


@dataclass(frozen=True)
class Finding:
    """A named check's answer. `hint` says what to do, and is empty for a pass."""

    check: str
    level: Level
    text: str
    hint: str = ""

    @property
    def line(self) -> str:
        """For a terminal."""
        word = "fail" if self.level == "block" else self.level
        return f"{word}  {self.check}: {self.text}" + (f"\n      {self.hint}" if self.hint else "")


@dataclass(frozen=True)
class StepLine:
    """A step as people read it. `key` is unique in its plan."""

    key: str
    title: str
    detail: str = ""


@dataclass(frozen=True)
class Candidate:
    """Who waits for acceptance: what a manager observed, and what the host claims of itself."""

    host: str
    node: str
    observed_address: str
    claimed_hostname: str
    claimed_engine: str


@dataclass(frozen=True)
class Quorum:
    """Managers, and how many of them may fail, now and after what is asked."""

    managers: int
    tolerates: int
    managers_after: int
    tolerates_after: int


@dataclass(frozen=True)
class ContainerRow:
    """`restart`: the policy's name, "no" for none; `ports`: as `docker ps` writes them."""

    name: str
    image: str
    running: bool
    restart: str
    ports: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Leg:
    """One host's part of a fleet's migration. `warned`: what a yes to its warnings is bound to; `survives`: the swarm

    after it, in words; `wave`: legs of the same number may go on at the same time.
    """

    host: str
    role: Role
    steps: int
    wave: int
    survives: str
    warned: str = ""
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class HostRow:
    """A row of `docker-machine ls`, and the place in swarm mode: "worker", "manager", "leader", "pending" or ""."""

    name: str
    driver: str
    state: str
    url: str
    swarm: str
    docker: str
    place: str
    error: str = ""


@dataclass(frozen=True)
class NodeRow:
    """A row of `docker node ls` with the write-up's MEMBERSHIP; `asked` marks the node that answered."""

    id: str
    asked: bool
    hostname: str
    membership: Literal["Accepted", "Pending"]
    status: str
    availability: str
    manager_status: str
    engine: str


@dataclass(frozen=True)
class Began:
    """The job runs. `host`: what it is about, "" for the whole fleet."""

    host: str = ""
    type: Literal["began"] = "began"


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
class StepNote:
    """A running step's latest word, one line."""

    key: str
    text: str
    type: Literal["step_note"] = "step_note"


@dataclass(frozen=True)
class StepDone:
    key: str
    note: str = ""
    type: Literal["step_done"] = "step_done"


@dataclass(frozen=True)
class StepFailed:
    key: str
    note: str
    type: Literal["step_failed"] = "step_failed"


@dataclass(frozen=True)
class FileChanged:
    """Told before it is done, when it is Imker that does it.

    `before`, `after`: SHA-256 of the text in hex, "" for a file that is not there.
    """

    host: str
    path: str
    before: str
    after: str
    type: Literal["file_changed"] = "file_changed"


@dataclass(frozen=True)
class Detail:
    """What belongs into the run's thread: a diff, the tail of a package manager's output."""

    title: str
    text: str
    type: Literal["detail"] = "detail"


@dataclass(frozen=True)
class Examined:
    """What the doctor found."""

    findings: tuple[Finding, ...]
    type: Literal["examined"] = "examined"


@dataclass(frozen=True)
class HostTable:
    rows: tuple[HostRow, ...]
    type: Literal["host_table"] = "host_table"


@dataclass(frozen=True)
class NodeTable:
    """`asked`: the manager that answered. `taken_at`: UNIX seconds; `stale`: why it is not of now, else ""."""

    asked: str
    taken_at: float
    rows: tuple[NodeRow, ...]
    stale: str = ""
    type: Literal["node_table"] = "node_table"


@dataclass(frozen=True)
class Census:
    """A host's Engine and containers, before it was touched and after."""

    when: Literal["before", "after"]
    host: str
    engine: str
    containers: tuple[ContainerRow, ...]
    type: Literal["census"] = "census"


@dataclass(frozen=True)
class FleetPlanned:
    """A fleet's migration, leg by leg. `done`: hosts that need nothing; `findings`: what is about no one host;

    `parallel`: how many legs of one wave go on at the same time.
    """

    legs: tuple[Leg, ...]
    done: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    parallel: int = 1
    type: Literal["fleet_planned"] = "fleet_planned"


Question = Literal["accept", "continue", "start", "resume", "containers", "store"]


@dataclass(frozen=True)
class Waiting:
    """The job ended with a question for a person.

    accept: make the candidate a manager? · continue: go on despite warnings? · start: begin a fleet's migration? ·
    resume: go on after a pause? · containers: start again `names` that ran on `host`? · store: remove it from `host`?
    `summary`: what is so whatever the answer. To accept takes `needed` different people, within `seconds` of `asked`.
    """

    question: Question
    fingerprint: str
    candidate: Candidate | None = None
    quorum: Quorum | None = None
    host: str = ""
    names: tuple[str, ...] = ()
    summary: str = ""
    needed: int = 1
    asked: Moment | None = None
    seconds: float = 0.0
    type: Literal["waiting"] = "waiting"


Outcome = Literal["done", "nothing", "refused", "failed", "restored", "cancelled"]


@dataclass(frozen=True)
class Ended:
    """The job's last word. `state`: in what state the host was left; `hint`: what to type next."""

    outcome: Outcome
    summary: str
    state: str = ""
    hint: str = ""
    type: Literal["ended"] = "ended"


Body = Annotated[
    Began
    | Planned
    | FleetPlanned
    | StepStarted
    | StepNote
    | StepDone
    | StepFailed
    | FileChanged
    | Detail
    | Census
    | Examined
    | HostTable
    | NodeTable
    | Waiting
    | Ended,
    Field(discriminator="type"),
]


@dataclass(frozen=True)
class Event:
    """`number` counts a job's events from 1: readers drop repeats of (run, job, number). `at`: UNIX seconds."""

    run: str
    job: int
    number: int
    at: float
    body: Body
    contract: int = CONTRACT


# --- JSON ----------------------------------------------------------------------------------------------------------

Message = TypeVar("Message", Request, Event)
_REQUEST: TypeAdapter[Request] = TypeAdapter(Request)
_EVENT: TypeAdapter[Event] = TypeAdapter(Event)
HOLD: TypeAdapter[Hold] = TypeAdapter(Hold)


class UnknownContract(ValueError):
    """The other side speaks a newer contract, or it is no message of ours."""


def encode(message: Request | Event) -> str:
    adapter: TypeAdapter[Request] | TypeAdapter[Event] = _REQUEST if isinstance(message, Request) else _EVENT
    return adapter.dump_json(message).decode()  # type: ignore[arg-type]


def decode_request(text: str | bytes) -> Request:
    """Raises UnknownContract."""
    return _decode(_REQUEST, text)


def decode_event(text: str | bytes) -> Event:
    """Raises UnknownContract."""
    return _decode(_EVENT, text)


def events_of(entries: Iterable[tuple[Any, Mapping[Any, Any]]]) -> tuple[Event, ...]:
    """A stream's events; an entry that is none of ours is passed over."""
    events = []
    for _, entry in entries:
        try:
            events.append(decode_event(entry[b"event"]))
        except (KeyError, UnknownContract):
            continue
    return tuple(events)


def _decode(adapter: TypeAdapter[Message], text: str | bytes) -> Message:
    try:
        message = adapter.validate_json(text)
    except (ValueError, TypeError) as wrong:
        raise UnknownContract("not a message of this contract") from wrong
    if message.contract != CONTRACT:
        raise UnknownContract(f"contract {message.contract}, this side speaks {CONTRACT}")
    return message
