"""Change the host's membership in the swarm. A manager joins as a worker: the manager token is never read."""

from collections.abc import Callable
from typing import Any

from imker.failpoints import failpoint
from jobs import steps
from jobs.connectors.engine import Engine
from jobs.errors import EngineRefused, TimedOut
from jobs.execute import polling
from jobs.execute.target import StepTarget
from jobs.facts.own_node import explain_misplaced, is_node_at
from jobs.facts.swarm import DRAINED_LABEL, PENDING_LABEL, PROMOTION, Node, SwarmMembership, parse_membership
from jobs.gather.swarm import list_nodes
from jobs.locking.fencing_token import FencingToken

Spec = dict[str, Any]
JOIN_TIMEOUT, READY_TIMEOUT, DRAIN_TIMEOUT = 60, 60, 120  # seconds; DRAIN_TIMEOUT is for the tasks of a node
FINISHED_TASK_STATES = (
    "complete",
    "shutdown",
    "failed",
    "rejected",
    "orphaned",
    "remove",
)  # states of a task that no longer runs
LEADER_TIMEOUT = 20  # seconds without a leader that are tolerated, as after a promotion


def execute_membership_step(step: steps.Step, target: StepTarget) -> str:
    """Execute one step that changes the swarm and return its result in one line. Raise JobError if it fails."""
    match step:
        case steps.InitSwarm():
            target.connect_engine().init(target.address_pool)
            target.managers = (target.host.name,)
            return f"initialized; {target.host.name} is its first manager"
        case steps.JoinSwarm(drain):
            return _join(target, "drain" if drain else "active")
        case steps.MarkPending(keeps_availability):
            return _mark_pending(target, PROMOTION if keeps_availability else "manager")
        case steps.WaitForReady():
            return _wait_for_ready(target)
        case steps.PromoteNode(node):
            change_node(target, node, _with_manager_role)
            return "promoted"
        case steps.WaitForReachable(node):
            return _wait_for_reachable(target, node)
        case steps.DrainNode(node):
            return _drain(target, node)
        case steps.ActivateNode(node):
            change_node(target, node, _with_work_allowed)
            return "active"
        case steps.UnmarkPending(node):
            change_node(target, node, _without_pending_mark)
            return "done"
        case steps.LeaveSwarm(node):
            return _remove_node(target, node)
        case _:
            raise AssertionError(f"not a membership step: {step}")


def claim_swarm(target: StepTarget, token: FencingToken) -> None:
    """Claim the swarm for a run with its fencing token. Raise Superseded if a later run has claimed it."""
    if not polling.wait_for(lambda: _try_claim(target, token), LEADER_TIMEOUT):
        _try_claim(target, token)  # raises the error


def _try_claim(target: StepTarget, token: FencingToken) -> bool:
    target.connect_manager().claim_token(token)
    return True


def _join(target: StepTarget, availability: str) -> str:
    """Join as a worker and wait until the Engine reports it. A join that times out continues in the background."""
    manager = target.connect_manager()
    try:
        target.connect_engine().join(manager.host.advertise_address, manager.worker_token(), availability)
    except EngineRefused as error:
        if "Timeout was reached" not in error.summary:
            raise
    failpoint("join.requested")
    if not polling.wait_for_engine(target.connect_engine, _is_active, JOIN_TIMEOUT):
        raise TimedOut(
            f"{target.host.name} is still {_ask_membership(target).state} after {JOIN_TIMEOUT} s", host=target.host.name
        )
    return f"joined through {manager.host.name}"


def _is_active(engine: Engine) -> bool:
    return parse_membership(engine.info()).state == "active"


def _mark_pending(target: StepTarget, mark: str) -> str:
    change_node(
        target,
        _ask_membership(target).node_id,
        lambda spec: {**spec, "Labels": {**(spec.get("Labels") or {}), PENDING_LABEL: mark}},
    )
    return "marked as pending"


def _wait_for_ready(target: StepTarget) -> str:
    node = _ask_membership(target).node_id
    if not wait_for_node(target, node, READY_TIMEOUT, lambda listed: listed.state == "ready"):
        find_node(target, node)  # raises the error if it is another host's node
        raise TimedOut(f"{target.host.name}'s node is not Ready after {READY_TIMEOUT} s", host=target.host.name)
    return f"node {node[:12]} is Ready"


def _wait_for_reachable(target: StepTarget, node: str) -> str:
    if not is_reachable(target, node):
        raise TimedOut(f"node {node} was promoted, but is not Reachable after {READY_TIMEOUT} s", host=target.host.name)
    return "Reachable"


def is_reachable(target: StepTarget, node: str) -> bool:
    """Wait until the managers list the node as a manager that takes part. Return False after READY_TIMEOUT."""
    return wait_for_node(target, node, READY_TIMEOUT, lambda listed: listed.manages)


def wait_for_node(target: StepTarget, node: str, seconds: float, condition: Callable[[Node], bool]) -> bool:
    """Wait until the managers list the node as this host's, and in a state that fulfils the condition."""
    return polling.wait_for_engine(
        target.connect_manager, lambda manager: condition(_listed_node(target, manager, node)), seconds
    )


def _remove_node(target: StepTarget, node: str) -> str:
    """Let the host leave if it is reachable, then remove its node from the swarm in any case."""
    polling.wait_for(lambda: _try_leave(target, node), 10)
    wait_for_node(target, node, READY_TIMEOUT, lambda listed: listed.state == "down")
    failpoint("swarm.left")
    find_node(target, node)  # raises if it is another host's node
    target.connect_manager().remove_node(node)
    return "removed from the swarm"


def _try_leave(target: StepTarget, node: str) -> bool:
    """Let the host leave the swarm, unless it is another node by now."""
    engine = target.connect_engine()
    membership = parse_membership(engine.info())
    if membership.state != "inactive" and membership.node_id in ("", node):
        engine.leave()
    return True


def _ask_membership(target: StepTarget) -> SwarmMembership:
    return parse_membership(target.connect_engine().info())


def find_node(target: StepTarget, node: str) -> Node:
    """Return the node as a manager lists it. Raise EngineRefused if it is not at this host's address."""
    return _listed_node(target, target.connect_manager(), node)


def _listed_node(target: StepTarget, manager: Engine, node: str) -> Node:
    nodes = {member.id: member for member in list_nodes(manager)}
    if node not in nodes:
        raise EngineRefused(f"the managers list no node {node}", host=target.host.name)
    if not is_node_at(target.host, nodes[node]):
        wrong, hint = explain_misplaced(target.host, nodes[node].address)
        raise EngineRefused(
            f"node {node[:12]} does not belong to {target.host.name}: {wrong}", host=target.host.name, hint=hint
        )
    return nodes[node]


def change_node(target: StepTarget, node: str, change: Callable[[Spec], Spec]) -> None:
    """Change this host's node. Wait for it first, as right after a join the managers have no address for it."""
    if not wait_for_node(target, node, LEADER_TIMEOUT, lambda listed: True):
        find_node(target, node)  # raises the error
    target.connect_manager().change_node(node, change)


def _drain(target: StepTarget, node: str) -> str:
    """Drain the node and wait for its tasks. Slow tasks do not fail the step: the Engine's restart stops them too."""
    change_node(target, node, _with_drain)
    if polling.wait_for_engine(target.connect_manager, lambda manager: not running_tasks(manager, node), DRAIN_TIMEOUT):
        return "no service task is running"
    running = ", ".join(running_tasks(target.connect_manager(), node))
    return f"tasks still stopping after {DRAIN_TIMEOUT} s: {running}"


def running_tasks(manager: Engine, node: str) -> list[str]:
    return [task["ID"][:12] for task in manager.tasks(node) if task["Status"]["State"] not in FINISHED_TASK_STATES]


def _with_drain(spec: Spec) -> Spec:
    labels = spec.get("Labels") or {}
    former = spec.get("Availability") if spec.get("Availability") in ("active", "pause") else labels.get(DRAINED_LABEL)
    return {**spec, "Labels": {**labels, DRAINED_LABEL: former or "active"}, "Availability": "drain"}


def _with_manager_role(spec: Spec) -> Spec:
    return {**spec, "Role": "manager"}


def _without_pending_mark(spec: Spec) -> Spec:
    labels = {key: value for key, value in (spec.get("Labels") or {}).items() if key != PENDING_LABEL}
    return {**spec, "Labels": labels}


def _with_work_allowed(spec: Spec) -> Spec:
    labels = {
        key: value for key, value in (spec.get("Labels") or {}).items() if key not in (PENDING_LABEL, DRAINED_LABEL)
    }
    former = (spec.get("Labels") or {}).get(DRAINED_LABEL)
    return {**spec, "Labels": labels, "Availability": "pause" if former == "pause" else "active"}
