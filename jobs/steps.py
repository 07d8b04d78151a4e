"""The steps a plan is made of, and how people read them. Pure values; `jobs.execute` does them."""

from dataclasses import dataclass

from jobs.contract import StepLine
from jobs.daemon_options import FileEdit


@dataclass(frozen=True)
class RetireContainers:
    """Removes the classic Swarm's own containers, by name."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class StopStore:
    """Stops the key-value store's container and takes its restart policy away; its data stays."""

    name: str


@dataclass(frozen=True)
class SwitchSource:
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
    wanted: str
    conffile: str = ""
    old_packages: tuple[str, ...] = ()


@dataclass(frozen=True)
class PutOptionsBack:
    """Into the maintainer's file go the options that stood in the one it replaced. `wanted`: that file, cleaned."""

    path: str
    wanted: str


@dataclass(frozen=True)
class RestartEngine:
    """`ran`: containers to note as running before."""

    wanted: str
    ran: tuple[str, ...]


@dataclass(frozen=True)
class StartContainers:
    """Sees that what ran before runs again, and starts what does not.

    `over`: whether a migration's changes to the Engine are over with it: there is nothing to go back to any more.
    """

    names: tuple[str, ...]
    over: bool = False


@dataclass(frozen=True)
class InitSwarm:
    pass


@dataclass(frozen=True)
class JoinSwarm:
    """Joins as a worker. `drained`: gets no work until it is accepted as a manager."""

    drained: bool


@dataclass(frozen=True)
class MarkPending:
    """Notes on the node itself that it waits for acceptance."""


@dataclass(frozen=True)
class CheckNode:
    """Waits until a manager sees the node Ready."""


@dataclass(frozen=True)
class AddToGroup:
    """Puts the SSH user into the group docker."""

    user: str


@dataclass(frozen=True)
class CleanMachine:
    """Takes the classic Swarm out of docker-machine's own file on this side, so that no tool brings it back."""

    edit: FileEdit


@dataclass(frozen=True)
class RemoveStore:
    """Removes the stopped key-value store's container."""

    name: str


@dataclass(frozen=True)
class Promote:
    node: str


@dataclass(frozen=True)
class AwaitReachable:
    node: str


@dataclass(frozen=True)
class DrainNode:
    """Notes on the node that Imker drains it, and waits until the services' tasks have left it."""

    node: str


@dataclass(frozen=True)
class Activate:
    """Takes Imker's marks off and lets the node have work."""

    node: str


@dataclass(frozen=True)
class LeaveSwarm:
    """Takes a pending node out of the swarm again."""

    node: str


Step = (
    RetireContainers
    | StopStore
    | SwitchSource
    | RewriteOptions
    | UpgradeEngine
    | PutOptionsBack
    | RestartEngine
    | StartContainers
    | InitSwarm
    | JoinSwarm
    | MarkPending
    | CheckNode
    | AddToGroup
    | CleanMachine
    | RemoveStore
    | Promote
    | AwaitReachable
    | DrainNode
    | Activate
    | LeaveSwarm
)


def describe(step: Step) -> StepLine:
    title, detail = _words(step)
    return StepLine(key=type(step).__name__, title=title, detail=detail)


def _words(step: Step) -> tuple[str, str]:
    match step:
        case RetireContainers(names):
            return "Retire the classic Swarm's containers", ", ".join(names)
        case StopStore(name):
            return "Stop the key-value store", f"{name}; its data stays"
        case SwitchSource(edit):
            return "Switch the apt source", edit.path
        case RewriteOptions(edits):
            return "Take the classic Swarm out of the daemon's options", ", ".join(edit.path for edit in edits)
        case UpgradeEngine(packages, wanted):
            return f"Upgrade the Engine to {wanted}", ", ".join(packages)
        case PutOptionsBack(path):
            return "Put the daemon's options back", path
        case RestartEngine(wanted):
            return "Restart the Engine and see it answer over TLS", wanted
        case StartContainers(names):
            return "See the containers run again", ", ".join(names)
        case InitSwarm():
            return "Start the swarm", "as its first manager"
        case JoinSwarm(drained):
            return "Join the swarm", "as a worker, without work until it is accepted" if drained else "as a worker"
        case MarkPending():
            return "Mark the node as waiting to be accepted", ""
        case CheckNode():
            return "See the node Ready", ""
        case AddToGroup(user):
            return "Add the SSH user to the group docker", user
        case CleanMachine(edit):
            return "Take the classic Swarm out of docker-machine's store", edit.path
        case RemoveStore(name):
            return "Remove the key-value store", name
        case Promote(node):
            return "Promote the node to manager", node
        case AwaitReachable():
            return "See the manager Reachable", ""
        case DrainNode():
            return "Let the node have no work meanwhile", "services' tasks go to other nodes; other containers stay"
        case Activate():
            return "Let the node have work", ""
        case LeaveSwarm(node):
            return "Take the node out of the swarm", node
