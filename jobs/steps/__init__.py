"""Define the steps of a plan. `jobs.execute` runs them. Pure."""

from dataclasses import dataclass
from typing import Literal

from jobs.daemon_options import FileEdit
from jobs.steps.services import ServiceStep


@dataclass(frozen=True)
class RemoveClassicContainers:
    """Remove the classic Swarm's own containers, by name."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class StopStore:
    """Stop the key-value store's container and clear its restart policy. Its data is kept."""

    name: str


@dataclass(frozen=True)
class SwitchAptSource:
    """Switch the component of Docker's apt source."""

    edit: FileEdit


@dataclass(frozen=True)
class RewriteOptions:
    """Remove the classic Swarm's options from the daemon's configuration files."""

    edits: tuple[FileEdit, ...]


@dataclass(frozen=True)
class UpgradeEngine:
    """Install the target version of the Engine's packages.

    `packages` and `old_packages` (for a rollback): "name=version" each. `target_version`: the Engine's version
    afterwards. `conffile`: a file to back up first, "" for none.
    """

    packages: tuple[str, ...]
    target_version: str
    conffile: str = ""
    old_packages: tuple[str, ...] = ()


@dataclass(frozen=True)
class RestoreOptions:
    """Merge the host's own options into the package's new file. `options_text`: the replaced file, cleaned."""

    path: str
    options_text: str


@dataclass(frozen=True)
class RestartEngine:
    """Restart the Engine and verify it.

    `previously_running`: containers to save as running before the restart; `manager_node`: ID of the host's node if it
    manages the swarm, "" otherwise. One manager restarts at a time.
    """

    target_version: str
    previously_running: tuple[str, ...]
    manager_node: str = ""


@dataclass(frozen=True)
class EnsureContainersRunning:
    """Verify that containers that ran before are running, and start those that are not.

    `ends_migration`: this is the last change to the Engine, so that its rollback point is removed.
    """

    names: tuple[str, ...]
    ends_migration: bool = False


@dataclass(frozen=True)
class InitSwarm:
    """Initialize a swarm with this host as its first manager.

    `unreachable`: names of the hosts that did not answer when the plan was made. All others have to answer again.
    """

    unreachable: tuple[str, ...] = ()


@dataclass(frozen=True)
class JoinSwarm:
    """Join the swarm as a worker. `drain`: schedule no tasks on it until it is accepted as a manager."""

    drain: bool


@dataclass(frozen=True)
class MarkPending:
    """Label the node as pending acceptance. `keeps_availability`: acceptance or rejection does not activate it."""

    keeps_availability: bool = False


@dataclass(frozen=True)
class WaitForReady:
    """Wait until a manager reports the node as Ready."""


@dataclass(frozen=True)
class AddToGroup:
    """Add the SSH user to the group `docker`."""

    user: str


@dataclass(frozen=True)
class CleanDockerMachineConfig:
    """Remove the classic Swarm from docker-machine's file of the host, so that no tool adds it again."""

    edit: FileEdit


@dataclass(frozen=True)
class RemoveStore:
    """Remove the stopped key-value store's container."""

    name: str


@dataclass(frozen=True)
class PromoteNode:
    """Promote the node to manager."""

    node: str


@dataclass(frozen=True)
class WaitForReachable:
    """Wait until the swarm reports the new manager as Reachable."""

    node: str


@dataclass(frozen=True)
class DrainNode:
    """Label the node as drained by Imker, drain it, and wait until its service tasks have moved."""

    node: str


@dataclass(frozen=True)
class ActivateNode:
    """Remove Imker's labels and activate the node."""

    node: str


@dataclass(frozen=True)
class UnmarkPending:
    """Remove the label of a pending node, and leave its availability as it is."""

    node: str


@dataclass(frozen=True)
class SetAvailability:
    """Drain or activate the node for its operators. `run`, `requester`: who drained it, saved in a label."""

    node: str
    availability: Literal["active", "drain"]
    run: str = ""
    requester: str = ""


@dataclass(frozen=True)
class WaitForTasks:
    """Wait until no service task runs on the node. It changes nothing."""

    node: str


@dataclass(frozen=True)
class DemoteNode:
    """Make the manager a worker, and wait until it takes no part in the managers' decisions."""

    node: str


@dataclass(frozen=True)
class LeaveOnHost:
    """Let the host leave the swarm, with its own docker command."""

    node: str


@dataclass(frozen=True)
class LeaveSwarm:
    """Remove a node from the swarm."""

    node: str


HostStep = (
    RemoveClassicContainers
    | StopStore
    | SwitchAptSource
    | RewriteOptions
    | UpgradeEngine
    | RestoreOptions
    | RestartEngine
    | EnsureContainersRunning
    | InitSwarm
    | JoinSwarm
    | MarkPending
    | WaitForReady
    | AddToGroup
    | CleanDockerMachineConfig
    | RemoveStore
    | PromoteNode
    | WaitForReachable
    | DrainNode
    | ActivateNode
    | UnmarkPending
    | SetAvailability
    | WaitForTasks
    | DemoteNode
    | LeaveOnHost
    | LeaveSwarm
)
Step = HostStep | ServiceStep
