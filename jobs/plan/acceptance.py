"""What becomes of a host that joined as a worker and waits to be a manager. Pure."""

from imker.protocol.values import Candidate, Quorum
from jobs.facts import quorum
from jobs.facts.swarm import Node, SwarmFacts
from jobs.inventory.model import Host
from jobs.plan.model import Plan, Refusal
from jobs.steps import ActivateNode, LeaveSwarm, PromoteNode, WaitForReachable


def plan_acceptance(swarm: SwarmFacts, prefix: str) -> Plan | Refusal:
    """Promotes a pending node, and lets it have work. One that is a manager already only gets what is missing."""
    node = find_pending_node(swarm, prefix)
    if isinstance(node, Refusal):
        return node
    managers = [other for other in swarm.nodes if other.role == "manager"]
    reachable = [other for other in managers if other.manager_status in ("leader", "reachable")]
    if node.role == "manager":
        return Plan((WaitForReachable(node.id), ActivateNode(node.id)))
    if not quorum.may_add_manager(len(managers), len(reachable)):
        unreachable = ", ".join(other.hostname for other in managers if other not in reachable)
        return Refusal(
            f"a manager does not answer ({unreachable}), and adding one now could cost the quorum", "Mend it first."
        )
    return Plan((PromoteNode(node.id), WaitForReachable(node.id), ActivateNode(node.id)))


def plan_rejection(swarm: SwarmFacts, prefix: str, remove: bool) -> Plan | Refusal:
    """Leaves a pending node a worker that may have work, or takes it out."""
    node = find_pending_node(swarm, prefix)
    if isinstance(node, Refusal):
        return node
    if node.role == "manager":
        return Refusal(f"{node.hostname} is a manager already: too late to reject it")
    return Plan((LeaveSwarm(node.id),) if remove else (ActivateNode(node.id),))


def find_pending_node(swarm: SwarmFacts, prefix: str) -> Node | Refusal:
    if swarm.problem:
        return Refusal(f"the swarm cannot be asked: {swarm.problem}", "See /swarm nodes.")
    matches = [node for node in swarm.nodes if node.pending and node.id.startswith(prefix)]
    if len(matches) == 1:
        return matches[0]
    waiting = ", ".join(f"{node.hostname} ({node.id})" for node in swarm.nodes if node.pending) or "none"
    many = "more than one node that waits" if matches else "no node that waits"
    return Refusal(f"{prefix} is the ID of {many} for acceptance", f"Waiting now: {waiting}.")


def build_candidate(host: Host, node: Node) -> Candidate:
    return Candidate(host.name, node.id, node.address, node.hostname, node.engine_version)


def quorum_with_one_more(swarm: SwarmFacts) -> Quorum:
    managers = sum(node.role == "manager" for node in swarm.nodes)
    return quorum.quorum_change(managers, managers + 1)
