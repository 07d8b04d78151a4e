"""Change one node for its operators: availability, role, and leaving the swarm."""

from jobs import steps
from jobs.connectors.engine import Engine
from jobs.connectors.shell import script, sudo
from jobs.errors import CommandFailed, JobError, TimedOut
from jobs.execute import membership, polling
from jobs.execute.target import StepTarget
from jobs.facts.swarm import DRAIN_LABEL, DRAINED_LABEL, Node, parse_membership

TASKS_TIMEOUT = 30 * 60  # seconds to wait for the tasks of a drained node
DEMOTE_TIMEOUT = 60  # seconds until a former manager takes no part in the managers' decisions
LEAVE_TIMEOUT = 60  # seconds for `docker swarm leave`
LEAVE_SCRIPT = """
id=$(docker info --format '{{.Swarm.NodeID}}') || exit
[ "$id" != "$1" ] || docker swarm leave
"""


def set_availability(target: StepTarget, step: steps.SetAvailability) -> str:
    """Drain or activate the node. A drain is labelled with its run and requester."""
    mark = {DRAIN_LABEL: f"{step.run} {step.requester}"} if step.availability == "drain" and step.run else {}

    def change(spec: membership.Spec) -> membership.Spec:
        labels = {key: value for key, value in (spec.get("Labels") or {}).items() if key not in LABELS}
        return {**spec, "Labels": {**labels, **mark}, "Availability": step.availability}

    membership.change_node(target, step.node, change)
    return "drained" if step.availability == "drain" else "active"


LABELS = (DRAIN_LABEL, DRAINED_LABEL)


def wait_for_tasks(target: StepTarget, node: str) -> str:
    """Wait until no task runs on the node. A user can pause or cancel meanwhile. Raise TimedOut after TASKS_TIMEOUT."""
    running: list[str] = []

    def are_gone(manager: Engine) -> bool:
        target.check_hold()
        running[:] = membership.running_tasks(manager, node)
        if running:
            target.on_progress(f"{_count(running)} left")
        return not running

    if polling.wait_for_engine(target.connect_manager, are_gone, TASKS_TIMEOUT):
        return "no service task is running"
    text = f"{_count(running)} of {target.host.name} still running after {TASKS_TIMEOUT // 60} minutes"
    raise TimedOut(text, host=target.host.name, hint="Run the command again to wait longer.")


def _count(running: list[str]) -> str:
    return f"{len(running)} task{'s' * (len(running) != 1)}"


def demote_node(target: StepTarget, node: str) -> str:
    """Make the manager a worker, and wait until it is one. Only the other managers are asked."""
    target.managers = tuple(name for name in target.managers if name != target.host.name)
    membership.change_node(target, node, lambda spec: {**spec, "Role": "worker"})
    if not membership.wait_for_node(target, node, DEMOTE_TIMEOUT, _is_worker):
        membership.find_node(target, node)  # raises the error if it is another host's node
        raise TimedOut(f"node {node} is still a manager after {DEMOTE_TIMEOUT} s", host=target.host.name)
    polling.wait_for(lambda: _has_settled(target), DEMOTE_TIMEOUT)
    return "a worker now"


def _is_worker(node: Node) -> bool:
    return node.role == "worker" and not node.manager_status


def _has_settled(target: StepTarget) -> bool:
    """Return whether the host reports that it is a worker. A host that does not answer is not waited for."""
    try:
        return not parse_membership(target.connect_engine().info()).is_manager
    except JobError:
        return True


def leave_on_host(target: StepTarget, node: str) -> str:
    """Let the host leave, unless it is another node by now. A host that cannot leave is removed all the same."""
    leave = script(LEAVE_SCRIPT, node)
    try:
        target.shell.run(sudo(*leave, title="docker swarm leave", timeout=LEAVE_TIMEOUT))
    except CommandFailed as error:
        return f"the host did not leave: {error.summary}"
    return "left the swarm"
