"""Plan the commands that change one node: promote, demote, activate, and remove. Pure.

A plan contains only the remaining steps, as it is made from the current state. No plan leaves fewer reachable managers
than quorum needs.
"""

from dataclasses import dataclass

from imker.protocol.commands import Accept, Reject
from imker.protocol.next_command import NextCommand
from imker.protocol.values import Finding, Quorum
from jobs.facts import quorum
from jobs.facts.swarm import Node, SwarmFacts
from jobs.inventory.model import Host
from jobs.plan.acceptance import refuse_promotion
from jobs.plan.model import Plan, Refusal, compute_fingerprint
from jobs.plan.workload import Workload, check_drain, describe_drain
from jobs.steps import DemoteNode, LeaveOnHost, LeaveSwarm, MarkPending, SetAvailability, Step, WaitForTasks

FORCE_LEAVE = "`docker swarm leave --force`"


@dataclass(frozen=True)
class NodePlan(Plan):
    """A plan that changes one node.

    `node`: its ID; `quorum`: of the managers now and afterwards, None if unchanged; `details`: what it does to tasks.
    """

    node: str = ""
    quorum: Quorum | None = None
    details: str = ""

    @property
    def evidence(self) -> str:
        """Return a digest of what an approval is bound to. A step that is done already changes nothing in it."""
        return compute_fingerprint(self.node, self.quorum, self.findings_of_level("warn"))


def plan_promotion(host: Host, node: Node, swarm: SwarmFacts) -> NodePlan | Refusal:
    """Plan to mark a worker as a pending manager. Its acceptance promotes it."""
    if node.role == "manager" and not node.pending:
        return NodePlan((), node=node.id)
    if node.state != "ready" and not node.pending:
        return Refusal(f"{host.name} is {node.state.capitalize()}, so it can't be promoted", "Make it Ready first.")
    if refusal := refuse_promotion(swarm, node):
        return refusal
    mark: tuple[Step, ...] = () if node.pending else (MarkPending(keeps_availability=True),)
    return NodePlan(mark, needs_acceptance=True, node=node.id)


def plan_activation(host: Host, node: Node, requester: str) -> NodePlan | Refusal:
    """Plan to activate a node. A drain by another user, or outside Imker, is a warning."""
    if node.pending:
        return refuse_pending(host, node, "activated")
    if node.availability == "active" and not node.drained_by_imker:
        return NodePlan((), node=node.id)
    return NodePlan((SetAvailability(node.id, "active"),), _check_drained_by(host, node, requester), node=node.id)


def plan_demotion(host: Host, node: Node, swarm: SwarmFacts) -> NodePlan | Refusal:
    """Plan to make a worker of a manager, if the other managers keep quorum."""
    if node.role != "manager":
        return refuse_pending(host, node, "demoted") if node.pending else NodePlan((), node=node.id)
    if refusal := _refuse_demotion(host, node, swarm, "demoted"):
        return refusal
    return NodePlan((DemoteNode(node.id),), _check_leader(host, node), node=node.id, quorum=quorum_with_one_less(swarm))


def plan_removal(host: Host, node: Node, swarm: SwarmFacts, drain: NodePlan, *, has_shell: bool) -> NodePlan | Refusal:
    """Plan to drain a node, to demote it if it is a manager, to let its host leave, and to remove it.

    `drain`: the plan that drains the node; `has_shell`: the host is reachable over SSH.
    """
    is_manager = node.role == "manager"
    if len(swarm.nodes) == 1:
        return Refusal(
            f"{host.name} is the only node, so removing it would end the swarm",
            f"If you want that, run {FORCE_LEAVE} on {host.name}.",
        )
    if is_manager and (refusal := _refuse_demotion(host, node, swarm, "removed")):
        return refusal
    demote: tuple[Step, ...] = (DemoteNode(node.id),) if is_manager else ()
    leave: tuple[Step, ...] = (LeaveOnHost(node.id),) if has_shell else ()
    findings = (
        *drain.findings,
        *(_check_leader(host, node) if is_manager else ()),
        *_check_leaves(host, node, has_shell),
    )
    after = quorum_with_one_less(swarm) if is_manager else None
    return NodePlan(
        (*drain.steps, *demote, *leave, LeaveSwarm(node.id)),
        findings,
        node=node.id,
        quorum=after,
        details=drain.details,
    )


def plan_drain(host: Host, node: Node, workload: Workload, run: str, requester: str) -> NodePlan:
    """Plan to drain a node for its operators, and to wait for its tasks. A node that is down stops none."""
    is_drained = node.availability == "drain" and not node.drained_by_imker
    drain: tuple[Step, ...] = () if is_drained else (SetAvailability(node.id, "drain", run, requester),)
    waits = node.state == "ready" and (not is_drained or workload.tasks)
    steps = (*drain, WaitForTasks(node.id)) if waits else drain
    if is_drained:
        return NodePlan(steps, node=node.id)
    return NodePlan(steps, check_drain(host.name, workload), node=node.id, details=describe_drain(host.name, workload))


def quorum_with_one_less(swarm: SwarmFacts) -> Quorum:
    managers = sum(node.role == "manager" for node in swarm.nodes)
    return quorum.quorum_change(managers, managers - 1)


def _refuse_demotion(host: Host, node: Node, swarm: SwarmFacts, participle: str) -> Refusal | None:
    """Refuse to take a manager away if the swarm would lose its last one, or its quorum."""
    managers = [other for other in swarm.nodes if other.role == "manager"]
    reachable = [other for other in managers if other.manages]
    if quorum.may_remove_manager(len(managers), len(reachable), node.manages):
        return None
    if len(managers) == 1:
        summary = f"{host.name} is the last manager, so it can't be {participle}"
        return Refusal(summary, "Promote another node first, then try again.")
    unreachable = [other for other in managers if not other.manages and other != node]
    names = ", ".join(other.hostname for other in unreachable)
    summary = f"the swarm would lose quorum without {host.name}: unreachable managers: {names}"
    return Refusal(summary, "Make them reachable, or demote one of them first.")


def refuse_pending(host: Host, node: Node, participle: str) -> Refusal:
    """Refuse to change a node whose acceptance as a manager is open."""
    own_node = node.id[:12]
    accept = NextCommand(Accept(own_node), "accept it")
    reject = NextCommand(Reject(own_node), "keep it as a worker")
    summary = f"{host.name} waits to be accepted as a manager, so it can't be {participle} now"
    return Refusal(summary, next_commands=(accept, reject))


def _check_drained_by(host: Host, node: Node, requester: str) -> tuple[Finding, ...]:
    if node.availability == "active" or node.drain_user == requester or node.drained_by_imker:
        return ()
    state = "paused" if node.availability == "pause" else "drained"
    by = f"by run {node.drain_run} of another user" if node.drain_run else "outside Imker"
    hint = "Continue if the work on it is finished."
    return (Finding("drained by", "warn", f"{host.name} was {state} {by}", hint),)


def _check_leader(host: Host, node: Node) -> tuple[Finding, ...]:
    if node.manager_status != "leader":
        return ()
    text = f"{host.name} is the leader: the managers elect another one, which takes a few seconds"
    return (Finding("leader", "warn", text, "Its services keep running meanwhile."),)


def _check_leaves(host: Host, node: Node, has_shell: bool) -> tuple[Finding, ...]:
    if has_shell:
        return ()
    text = f"{host.name} is unreachable over SSH, so it is only taken off the swarm's list"
    hint = f"When it is back, run {FORCE_LEAVE} on it."
    running = "" if node.state == "down" else "; its service tasks may keep running"
    return (Finding("host", "warn", f"{text}{running}", hint),)
