"""What is asked of the jobs: commands, and the signed request that carries one."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from imker.protocol.version import CHANGES_QUEUE, PROTOCOL_VERSION, READS_QUEUE

Role = Literal["manager", "worker"]


@dataclass(frozen=True)
class ListHosts:
    type: Literal["hosts"] = "hosts"


@dataclass(frozen=True)
class ListNodes:
    type: Literal["nodes"] = "nodes"


@dataclass(frozen=True)
class RunDoctor:
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

    excluded_hosts: tuple[str, ...] = ()
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
    ListHosts
    | ListNodes
    | PlanHost
    | Migrate
    | Accept
    | Reject
    | MigrateAll
    | StartContainers
    | RetireStore
    | RunDoctor,
    Field(discriminator="type"),
]


def queue_for(command: Command) -> str:
    return (
        READS_QUEUE if isinstance(command, ListHosts | ListNodes | PlanHost | MigrateAll | RunDoctor) else CHANGES_QUEUE
    )


@dataclass(frozen=True)
class Hold:
    """`by`: Slack user ID, "" for Imker itself, which says `why`; `at`: UNIX seconds."""

    action: Literal["pause", "cancel", "resume"]
    user: str
    requested_at: float
    why: str = ""


@dataclass(frozen=True)
class Approval:
    """A person's yes to what a `Waiting` event showed; `fingerprint` is that event's. `at`: UNIX seconds."""

    user: str
    fingerprint: str
    approved_at: float


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
    requester: str
    approvals: tuple[Approval, ...] = ()
    parent_run: str = ""
    allowed_hosts: tuple[str, ...] = ("*",)
    expires_at: float = 0.0
    protocol_version: int = PROTOCOL_VERSION
    channel: str = ""
