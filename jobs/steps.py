"""Define the steps of a plan and their titles. `jobs.execute` runs them. Pure."""

from dataclasses import dataclass

from imker.protocol.values import StepLine
from jobs.daemon_options import FileEdit
from jobs.service_steps import SERVICE_STEPS, ServiceStep, describe_service_step


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
    """Label the node as pending acceptance."""


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
class LeaveSwarm:
    """Remove a pending node from the swarm."""

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
    | LeaveSwarm
)
Step = HostStep | ServiceStep


def describe_step(step: Step) -> StepLine:
    """Return the step as a line of a plan."""
    if isinstance(step, SERVICE_STEPS):
        return describe_service_step(step)
    title, detail = _title_and_detail(step)
    return StepLine(key=type(step).__name__, title=title, detail=detail)


def _title_and_detail(step: HostStep) -> tuple[str, str]:
    match step:
        case RemoveClassicContainers(names):
            return "Remove classic Swarm containers", ", ".join(names)
        case StopStore(name):
            return "Stop the key-value store", f"{name}; its data is kept"
        case SwitchAptSource(edit):
            return "Switch the apt source", edit.path
        case RewriteOptions(edits):
            return "Remove classic Swarm daemon options", ", ".join(edit.path for edit in edits)
        case UpgradeEngine(packages, target_version):
            return f"Upgrade the Engine to {target_version}", ", ".join(packages)
        case RestoreOptions(path):
            return "Restore daemon options", path
        case RestartEngine(target_version):
            return "Restart the Engine and verify its API", target_version
        case EnsureContainersRunning(names):
            return "Verify that containers are running", ", ".join(names)
        case InitSwarm():
            return "Initialize the swarm", "as its first manager"
        case JoinSwarm(drain):
            return "Join the swarm", "as a drained worker until it is accepted" if drain else "as a worker"
        case MarkPending():
            return "Mark the node as pending acceptance", ""
        case WaitForReady():
            return "Wait for the node to be Ready", ""
        case AddToGroup(user):
            return "Add the SSH user to the group docker", user
        case CleanDockerMachineConfig(edit):
            return "Remove the classic Swarm from docker-machine's config", edit.path
        case RemoveStore(name):
            return "Remove the key-value store", name
        case PromoteNode(node):
            return "Promote the node to manager", node
        case WaitForReachable():
            return "Wait for the manager to be Reachable", ""
        case DrainNode():
            return "Drain the node", "service tasks move to other nodes; other containers stay"
        case ActivateNode():
            return "Activate the node", ""
        case LeaveSwarm(node):
            return "Remove the node from the swarm", node
