"""The steps a plan is made of, and how people read them. Pure values; `jobs.execute` does them."""

from dataclasses import dataclass

from imker.protocol.values import StepLine
from jobs.daemon_options import FileEdit


@dataclass(frozen=True)
class RemoveClassicContainers:
    """Removes the classic Swarm's own containers, by name."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class StopStore:
    """Stops the key-value store's container and takes its restart policy away; its data stays."""

    name: str


@dataclass(frozen=True)
class SwitchAptSource:
    edit: FileEdit


@dataclass(frozen=True)
class RewriteOptions:
    edits: tuple[FileEdit, ...]


@dataclass(frozen=True)
class UpgradeEngine:
    """`packages`: "name=version" each; `wanted`: the Engine's version after; `conffile`: saved first, "" for none;

    `old_packages`: what to go back to.
    """

    packages: tuple[str, ...]
    target_version: str
    conffile: str = ""
    old_packages: tuple[str, ...] = ()


@dataclass(frozen=True)
class RestoreOptions:
    """Into the maintainer's file go the options that stood in the one it replaced. `wanted`: that file, cleaned."""

    path: str
    options_text: str


@dataclass(frozen=True)
class RestartEngine:
    """`ran`: containers to note as running before."""

    target_version: str
    previously_running: tuple[str, ...]


@dataclass(frozen=True)
class EnsureContainersRunning:
    """Sees that what ran before runs again, and starts what does not.

    `over`: whether a migration's changes to the Engine are over with it: there is nothing to go back to any more.
    """

    names: tuple[str, ...]
    ends_migration: bool = False


@dataclass(frozen=True)
class InitSwarm:
    pass


@dataclass(frozen=True)
class JoinSwarm:
    """Joins as a worker. `drained`: gets no work until it is accepted as a manager."""

    drain: bool


@dataclass(frozen=True)
class MarkPending:
    """Notes on the node itself that it waits for acceptance."""


@dataclass(frozen=True)
class WaitForReady:
    """Waits until a manager sees the node Ready."""


@dataclass(frozen=True)
class AddToGroup:
    """Puts the SSH user into the group docker."""

    user: str


@dataclass(frozen=True)
class CleanDockerMachineConfig:
    """Takes the classic Swarm out of docker-machine's own file on this side, so that no tool brings it back."""

    edit: FileEdit


@dataclass(frozen=True)
class RemoveStore:
    """Removes the stopped key-value store's container."""

    name: str


@dataclass(frozen=True)
class PromoteNode:
    node: str


@dataclass(frozen=True)
class WaitForReachable:
    node: str


@dataclass(frozen=True)
class DrainNode:
    """Notes on the node that Imker drains it, and waits until the services' tasks have left it."""

    node: str


@dataclass(frozen=True)
class ActivateNode:
    """Takes Imker's marks off and lets the node have work."""

    node: str


@dataclass(frozen=True)
class LeaveSwarm:
    """Takes a pending node out of the swarm again."""

    node: str


Step = (
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


def describe_step(step: Step) -> StepLine:
    title, detail = _title_and_detail(step)
    return StepLine(key=type(step).__name__, title=title, detail=detail)


def _title_and_detail(step: Step) -> tuple[str, str]:
    match step:
        case RemoveClassicContainers(names):
            return "Retire the classic Swarm's containers", ", ".join(names)
        case StopStore(name):
            return "Stop the key-value store", f"{name}; its data stays"
        case SwitchAptSource(edit):
            return "Switch the apt source", edit.path
        case RewriteOptions(edits):
            return "Take the classic Swarm out of the daemon's options", ", ".join(edit.path for edit in edits)
        case UpgradeEngine(packages, target_version):
            return f"Upgrade the Engine to {target_version}", ", ".join(packages)
        case RestoreOptions(path):
            return "Put the daemon's options back", path
        case RestartEngine(target_version):
            return "Restart the Engine and see it answer over TLS", target_version
        case EnsureContainersRunning(names):
            return "See the containers run again", ", ".join(names)
        case InitSwarm():
            return "Start the swarm", "as its first manager"
        case JoinSwarm(drain):
            return "Join the swarm", "as a worker, without work until it is accepted" if drain else "as a worker"
        case MarkPending():
            return "Mark the node as waiting to be accepted", ""
        case WaitForReady():
            return "See the node Ready", ""
        case AddToGroup(user):
            return "Add the SSH user to the group docker", user
        case CleanDockerMachineConfig(edit):
            return "Take the classic Swarm out of docker-machine's store", edit.path
        case RemoveStore(name):
            return "Remove the key-value store", name
        case PromoteNode(node):
            return "Promote the node to manager", node
        case WaitForReachable():
            return "See the manager Reachable", ""
        case DrainNode():
            return "Let the node have no work meanwhile", "services' tasks go to other nodes; other containers stay"
        case ActivateNode():
            return "Let the node have work", ""
        case LeaveSwarm(node):
            return "Take the node out of the swarm", node
