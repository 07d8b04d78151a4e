"""Plan the acceptance or rejection of a pending manager, which is a worker until then. Pure."""

from imker.protocol.commands import ListNodes
from imker.protocol.next_command import NextCommand
from imker.protocol.values import Candidate, Quorum
from jobs.facts import quorum
from jobs.facts.swarm import Node, SwarmFacts
from jobs.inventory.model import Host
from jobs.plan.model import Plan, Refusal
from jobs.steps import ActivateNode, LeaveSwarm, PromoteNode, Step, UnmarkPending, WaitForReachable


def plan_acceptance(swarm: SwarmFacts, prefix: str) -> Plan | Refusal:
    """Plan to promote and activate a pending node. A node that is a manager already only gets the missing steps."""
    node = find_pending_node(swarm, prefix)
    if isinstance(node, Refusal):
        return node
    return refuse_promotion(swarm, node) or Plan(acceptance_steps(node))


def acceptance_steps(node: Node) -> tuple[Step, ...]:
    """Return the steps that an approval covers, whether or not they may run at the moment."""
    promotion = () if node.role == "manager" else (PromoteNode(node.id),)
    return (*promotion, WaitForReachable(node.id), _settle(node))


def refuse_promotion(swarm: SwarmFacts, node: Node) -> Refusal | None:
    """Refuse to promote a worker while a manager is unreachable: a new one raises the quorum before it can vote."""
    managers = [other for other in swarm.nodes if other.role == "manager"]
    unreachable = [other for other in managers if not other.manages]
    if node.role == "manager" or quorum.may_add_manager(len(managers), len(managers) - len(unreachable)):
        return None
    names = ", ".join(other.hostname for other in unreachable)
    summary = f"a manager is unreachable ({names}), and adding one now could cost the quorum"
    return Refusal(summary, "Make it reachable first.")


def _settle(node: Node) -> Step:
    """Return the step that ends the wait for acceptance. Only a node that joined for it was drained meanwhile."""
    return UnmarkPending(node.id) if node.keeps_availability else ActivateNode(node.id)


def plan_rejection(swarm: SwarmFacts, prefix: str, remove: bool) -> Plan | Refusal:
    """Plan to keep a pending node as an active worker, or with `remove` to take it out of the swarm."""
    node = find_pending_node(swarm, prefix)
    if isinstance(node, Refusal):
        return node
    if node.role == "manager":
        return Refusal(f"{node.hostname} is already a manager and cannot be rejected")
    return Plan((LeaveSwarm(node.id) if remove else _settle(node),))


def find_pending_node(swarm: SwarmFacts, prefix: str) -> Node | Refusal:
    """Return the pending node whose ID starts with `prefix`, or a Refusal if there is none or more than one."""
    if swarm.problem:
        return Refusal(f"the state of the swarm is unclear: {swarm.problem}", next_commands=(NextCommand(ListNodes()),))
    matches = [node for node in swarm.nodes if node.pending and node.id.startswith(prefix)]
    if len(matches) == 1:
        return matches[0]
    pending = ", ".join(f"{node.hostname} ({node.id})" for node in swarm.nodes if node.pending) or "none"
    summary = f"{prefix} matches more than one pending node" if matches else f"no pending node has the ID {prefix}"
    return Refusal(summary, f"Pending nodes: {pending}.")


def build_candidate(host: Host, node: Node) -> Candidate:
    return Candidate(host.name, node.id, node.address, node.hostname, node.engine_version)


def quorum_with_one_more(swarm: SwarmFacts) -> Quorum:
    managers = sum(node.role == "manager" for node in swarm.nodes)
    return quorum.quorum_change(managers, managers + 1)
