"""Describe the steps of a plan as users see them. Pure."""

from imker.protocol.values import StepLine
from jobs.steps import (
    ActivateNode,
    AddToGroup,
    CleanDockerMachineConfig,
    DemoteNode,
    DrainNode,
    EnsureContainersRunning,
    HostStep,
    InitSwarm,
    JoinSwarm,
    LeaveOnHost,
    LeaveSwarm,
    MarkPending,
    PromoteNode,
    RemoveClassicContainers,
    RemoveStore,
    RestartEngine,
    RestoreOptions,
    RewriteOptions,
    SetAvailability,
    Step,
    StopStore,
    SwitchAptSource,
    UnmarkPending,
    UpgradeEngine,
    WaitForReachable,
    WaitForReady,
    WaitForTasks,
)
from jobs.steps.services import SERVICE_STEPS, describe_service_step


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
        case UnmarkPending():
            return "Remove the mark of a pending manager", ""
        case SetAvailability(availability=availability):
            return ("Drain the node" if availability == "drain" else "Activate the node"), ""
        case WaitForTasks():
            return "Wait for the node's service tasks to stop", ""
        case DemoteNode(node):
            return "Demote the manager to worker", node
        case LeaveOnHost():
            return "Leave the swarm on the host", ""
        case LeaveSwarm(node):
            return "Remove the node from the swarm", node
