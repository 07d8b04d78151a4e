"""Define the commands for the jobs, and the signed request that carries one. Pure."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from imker.protocol.job_command import JobCommand
from imker.protocol.node_commands import NodeCommand, UpgradeAll
from imker.protocol.service_commands import (
    CreateService,
    ListServices,
    RestartService,
    RollBackService,
    ScaleServices,
    ShowService,
)
from imker.protocol.version import CHANGES_QUEUE, PROTOCOL_VERSION, READS_QUEUE
from imker.protocol.watch_commands import WatchCommand

Role = Literal["manager", "worker"]


@dataclass(frozen=True)
class ListHosts(JobCommand):
    """Show every host of the inventory. `filter`: the rows that the bot shows, such as "role=manager", "" for all."""

    filter: str = ""
    type: Literal["hosts"] = "hosts"
    queue: ClassVar = READS_QUEUE

    @property
    def text(self) -> str:
        return f"{self.type} --filter {self.filter}" if self.filter else self.type


@dataclass(frozen=True)
class ListNodes(JobCommand):
    """Show the swarm's nodes. `filter`: the rows that the bot shows, such as "role=manager", "" for all."""

    filter: str = ""
    type: Literal["nodes"] = "nodes"
    queue: ClassVar = READS_QUEUE

    @property
    def text(self) -> str:
        return f"{self.type} --filter {self.filter}" if self.filter else self.type


@dataclass(frozen=True)
class RunDoctor(JobCommand):
    """Check what the jobs need: inventory, keys, certificates, hosts."""

    type: Literal["doctor"] = "doctor"
    queue: ClassVar = READS_QUEUE


@dataclass(frozen=True)
class PlanHost(JobCommand):
    """Show what a migration of the host would do."""

    host: str
    role: Role | None = None
    docker_group: bool = False
    type: Literal["plan"] = "plan"
    queue: ClassVar = READS_QUEUE

    @property
    def text(self) -> str:
        return f"plan {self.host}{_format_flags(self.role, self.docker_group)}"


@dataclass(frozen=True)
class Migrate(JobCommand):
    """Migrate a host into the swarm."""

    host: str
    role: Role | None = None  # None: the role in the inventory
    docker_group: bool = False  # add the SSH user to the docker group
    type: Literal["migrate"] = "migrate"
    queue: ClassVar = CHANGES_QUEUE

    @property
    def text(self) -> str:
        return f"migrate {self.host}{_format_flags(self.role, self.docker_group)}"


def _format_flags(role: Role | None, docker_group: bool) -> str:
    return (f" --{role}" if role else "") + (" --docker-group" if docker_group else "")


@dataclass(frozen=True)
class Accept(JobCommand):
    """Promote a pending node to manager. `node`: a node ID or an unambiguous prefix."""

    node: str
    type: Literal["accept"] = "accept"
    queue: ClassVar = CHANGES_QUEUE

    @property
    def text(self) -> str:
        return f"accept {self.node}"


@dataclass(frozen=True)
class Reject(JobCommand):
    """Keep a pending node as a worker, or remove it from the swarm."""

    node: str
    remove: bool = False
    type: Literal["reject"] = "reject"
    queue: ClassVar = CHANGES_QUEUE

    @property
    def text(self) -> str:
        return f"reject {self.node}{' --remove' if self.remove else ''}"


@dataclass(frozen=True)
class MigrateAll(JobCommand):
    """Plan the migration of all hosts. Each host is then migrated in a run of its own."""

    excluded_hosts: tuple[str, ...] = ()
    type: Literal["migrate_all"] = "migrate_all"
    queue: ClassVar = READS_QUEUE

    @property
    def text(self) -> str:
        return "migrate all" + (f" --without {','.join(self.excluded_hosts)}" if self.excluded_hosts else "")


@dataclass(frozen=True)
class StartContainers(JobCommand):
    """Start containers that did not restart after the migration."""

    host: str
    names: tuple[str, ...]
    type: Literal["start"] = "start"
    queue: ClassVar = CHANGES_QUEUE

    @property
    def text(self) -> str:
        return f"start {' '.join((self.host, *self.names))}"


@dataclass(frozen=True)
class RetireStore(JobCommand):
    """Stop the unused key-value store on a host. With an approval, remove it."""

    host: str
    type: Literal["retire"] = "retire"
    queue: ClassVar = CHANGES_QUEUE

    @property
    def text(self) -> str:
        return f"retire {self.host}"


@dataclass(frozen=True)
class DownloadPackages(JobCommand):
    """Download the packages of a fleet's plan on these hosts before their migration. It cannot be typed."""

    hosts: tuple[str, ...]
    type: Literal["download"] = "download"
    queue: ClassVar = CHANGES_QUEUE


@dataclass(frozen=True)
class StopDownloads(JobCommand):
    """Stop the downloads on these hosts. It cannot be typed."""

    hosts: tuple[str, ...]
    type: Literal["stop_downloads"] = "stop_downloads"
    queue: ClassVar = CHANGES_QUEUE


_TypedCommand = (
    ListHosts
    | ListNodes
    | PlanHost
    | Migrate
    | Accept
    | Reject
    | MigrateAll
    | StartContainers
    | RetireStore
    | RunDoctor
    | NodeCommand
    | ListServices
    | ShowService
    | CreateService
    | ScaleServices
    | RestartService
    | RollBackService
)
FleetCommand = MigrateAll | UpgradeAll  # planned as a whole, and carried out host by host
Command = Annotated[_TypedCommand, Field(discriminator="type")]  # what users can ask for
RequestedCommand = Annotated[
    _TypedCommand | DownloadPackages | StopDownloads | WatchCommand, Field(discriminator="type")
]


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
    `parent_run`: the fleet's run, "" for none; `allowed_hosts`, `allowed_services`: patterns that the bot authorized;
    `expires_at`: UNIX seconds; `channel`: Slack channel of the command, for the audit log.
    """

    run: str
    job: int
    command: RequestedCommand
    requester: str
    approvals: tuple[Approval, ...] = ()
    parent_run: str = ""
    allowed_hosts: tuple[str, ...] = ("*",)
    expires_at: float = 0.0
    protocol_version: int = PROTOCOL_VERSION
    channel: str = ""
    allowed_services: tuple[str, ...] = ()
