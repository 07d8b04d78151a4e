"""Define the commands for the jobs, and the signed request that carries one. Pure."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from imker.protocol.version import CHANGES_QUEUE, PROTOCOL_VERSION, READS_QUEUE

Role = Literal["manager", "worker"]


@dataclass(frozen=True)
class ListHosts:
    """Show every host of the inventory."""

    type: Literal["hosts"] = "hosts"


@dataclass(frozen=True)
class ListNodes:
    """Show the swarm's nodes."""

    type: Literal["nodes"] = "nodes"


@dataclass(frozen=True)
class RunDoctor:
    """Check what the jobs need: inventory, keys, certificates, hosts."""

    type: Literal["doctor"] = "doctor"


@dataclass(frozen=True)
class PlanHost:
    """Show what a migration of the host would do."""

    host: str
    role: Role | None = None
    docker_group: bool = False
    type: Literal["plan"] = "plan"


@dataclass(frozen=True)
class Migrate:
    """Migrate a host into the swarm."""

    host: str
    role: Role | None = None  # None: the role in the inventory
    docker_group: bool = False  # add the SSH user to the docker group
    type: Literal["migrate"] = "migrate"


@dataclass(frozen=True)
class Accept:
    """Promote a pending node to manager. `node`: a node ID or an unambiguous prefix."""

    node: str
    type: Literal["accept"] = "accept"


@dataclass(frozen=True)
class Reject:
    """Keep a pending node as a worker, or remove it from the swarm."""

    node: str
    remove: bool = False
    type: Literal["reject"] = "reject"


@dataclass(frozen=True)
class MigrateAll:
    """Plan the migration of all hosts. Each host is then migrated in a run of its own."""

    excluded_hosts: tuple[str, ...] = ()
    type: Literal["migrate_all"] = "migrate_all"


@dataclass(frozen=True)
class StartContainers:
    """Start containers that did not restart after the migration."""

    host: str
    names: tuple[str, ...]
    type: Literal["start"] = "start"


@dataclass(frozen=True)
class RetireStore:
    """Stop the unused key-value store on a host. With an approval, remove it."""

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
    """Return the RQ queue for the command: reads never wait for changes."""
    return (
        READS_QUEUE if isinstance(command, ListHosts | ListNodes | PlanHost | MigrateAll | RunDoctor) else CHANGES_QUEUE
    )


@dataclass(frozen=True)
class Hold:
    """A request to pause, cancel, or resume a run.

    `user`: Slack user ID, "" for Imker itself, which gives `why`; `requested_at`: UNIX seconds.
    """

    action: Literal["pause", "cancel", "resume"]
    user: str
    requested_at: float
    why: str = ""


@dataclass(frozen=True)
class Approval:
    """A user's approval of a DecisionRequested event with this fingerprint. `approved_at`: UNIX seconds."""

    user: str
    fingerprint: str
    approved_at: float


@dataclass(frozen=True)
class Request:
    """The content of one RQ job. It is signed as a whole and processed once: (run, job) is unique.

    `job` counts the jobs of a run from 1; `requester`: Slack user ID; `approvals`: each by a different user;
    `parent_run`: the fleet's run, "" for none; `allowed_hosts`: host patterns that the bot authorized; `expires_at`:
    UNIX seconds; `channel`: Slack channel of the command, for the audit log.
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
