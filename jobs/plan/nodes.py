"""Find the node of a host in the swarm, which a command changes. Pure."""

from imker.protocol.commands import ListHosts, ListNodes, Migrate
from imker.protocol.next_command import NextCommand
from jobs.facts.own_node import find_identity_problem, find_node_mismatch, find_own_node, is_node_at
from jobs.facts.swarm import Node, SwarmFacts
from jobs.inventory.model import Host
from jobs.plan.model import Refusal


def find_node(host: Host, swarm: SwarmFacts, *, may_have_left: bool = False) -> Node | Refusal:
    """Return the node of a host, or why it cannot be found for sure.

    A host that answers has to report the node itself. For a host that does not answer, the managers have to list
    exactly one node at its address. `may_have_left`: this is enough for a host that reports that it is in no swarm.
    """
    if swarm.problem:
        return Refusal(f"the state of the swarm is unclear: {swarm.problem}", next_commands=(NextCommand(ListNodes()),))
    if not swarm.exists:
        return _no_swarm(swarm)
    membership = swarm.memberships.get(host.name)
    own_node = find_own_node(host, membership, swarm.nodes) if membership else None
    against = find_identity_problem(host, membership, swarm) if membership else None
    if against:
        return Refusal(against.text, against.hint, against.check, against.next_commands)
    return own_node or _node_at(host, swarm, may_have_left)


def has_node(host: Host, swarm: SwarmFacts) -> bool:
    """Return whether the managers list a node at the host's address."""
    return any(is_node_at(host, node) for node in swarm.nodes)


def _no_swarm(swarm: SwarmFacts) -> Refusal:
    if swarm.unreachable:
        summary = f"no manager answers; unreachable: {', '.join(swarm.unreachable)}"
        return Refusal(summary, "Make a manager reachable first.", next_commands=(NextCommand(ListHosts()),))
    migrate = NextCommand(Migrate("HOST", "manager"), "migrate its first manager")
    return Refusal("there is no swarm yet", next_commands=(migrate,))


def _node_at(host: Host, swarm: SwarmFacts, may_have_left: bool) -> Node | Refusal:
    """Return the only node at the address of a host that does not report it."""
    nodes = [node for node in swarm.nodes if is_node_at(host, node)]
    if not nodes:
        migrate = NextCommand(Migrate(host.name), "move it into the swarm")
        return Refusal(f"{host.name} is not a node of the swarm", next_commands=(migrate,))
    if len(nodes) > 1:
        ids = " ".join(node.id[:12] for node in nodes)
        hint = "Remove those that no longer exist: on a manager, run `docker node rm --force ID`."
        return Refusal(f"the managers list {len(nodes)} nodes at {host.name}'s address: {ids}", hint)
    (node,), membership = nodes, swarm.memberships.get(host.name)
    has_left = may_have_left and membership is not None and membership.state == "inactive"
    if membership is None or node.state == "down" or has_left:
        return node
    mismatch = find_node_mismatch(host, membership, node, swarm)
    return Refusal(mismatch.text, mismatch.hint, mismatch.check) if mismatch else node
