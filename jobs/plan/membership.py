"""Plan the steps that make a host a node of the swarm with its role. Pure."""

import re
from dataclasses import replace

from imker.protocol.commands import Accept, ListNodes, Migrate, Reject, Role
from imker.protocol.next_command import NextCommand
from imker.protocol.node_commands import Demote
from jobs.facts.host import HostFacts
from jobs.facts.own_node import find_identity_problem, find_own_node
from jobs.facts.swarm import Node, SwarmFacts
from jobs.inventory.model import Host
from jobs.plan.model import Refusal
from jobs.steps import (
    ActivateNode,
    DrainNode,
    InitSwarm,
    JoinSwarm,
    MarkPending,
    RestartEngine,
    Step,
    UnmarkPending,
    WaitForReachable,
    WaitForReady,
)

RELEASE_CANDIDATE = re.compile(r"1\.12\.0-rc")


def effective_role(host: Host, facts: HostFacts, swarm: SwarmFacts) -> Role:
    """Return the role when the command names none: manager for a manager or pending manager, else the inventory's."""
    node = find_own_node(host, facts.membership, swarm.nodes)
    return "manager" if node and (node.pending or node.role == "manager") else host.role


def plan_membership(host: Host, facts: HostFacts, swarm: SwarmFacts, role: Role) -> tuple[Step, ...] | Refusal:
    """Return the remaining steps of the host's membership, or a Refusal if the swarm's state does not allow them."""
    if swarm.problem:
        repairs = (NextCommand(Migrate(name), f"repair its manager {name}") for name in swarm.silent_managers)
        next_commands = (NextCommand(ListNodes()), *repairs)
        return Refusal(f"the state of the swarm is unclear: {swarm.problem}", next_commands=next_commands)
    if candidates := [node for node in swarm.nodes if RELEASE_CANDIDATE.match(node.engine_version)]:
        return _refuse_release_candidates(candidates)
    if against := find_identity_problem(host, facts.membership, swarm):
        return Refusal(against.text, against.hint, against.check, against.next_commands)
    node = find_own_node(host, facts.membership, swarm.nodes)
    if facts.membership.state not in ("inactive", "") and node is None:
        return Refusal(
            f"{host.name} is already in another swarm ({facts.membership.state}), unknown to this inventory's managers",
            f"If you don't need that swarm, run `docker swarm leave` on {host.name}, then try again.",
        )
    if node is not None:
        return _refuse_demotion(host, node, role) or _member_steps(node, role)
    if swarm.exists:
        return (
            (JoinSwarm(True), MarkPending(), WaitForReady())
            if role == "manager"
            else (JoinSwarm(False), WaitForReady())
        )
    if role == "manager":
        return (InitSwarm(tuple(name for name in swarm.unreachable if name != host.name)), WaitForReady())
    return Refusal(
        f"there is no swarm yet, and {host.name} would be a worker",
        "Migrate a manager first, this host or another one.",
        next_commands=(NextCommand(Migrate(host.name, "manager"), f"make {host.name} a manager"),),
    )


def _refuse_release_candidates(nodes: list[Node]) -> Refusal:
    """Refuse a swarm of Docker's release candidates: they have no join tokens and other protocols than releases."""
    nodes_text = (
        f"{', '.join(node.hostname for node in nodes)}: {', '.join(sorted({node.engine_version for node in nodes}))}"
    )
    return Refusal(
        f"the swarm runs Docker release candidates ({nodes_text}), which released Engines cannot join",
        "Run `docker swarm leave --force` on each of its nodes, then migrate them as hosts without a swarm.",
    )


def with_drain(host: Host, facts: HostFacts, swarm: SwarmFacts, engine_steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Return the Engine steps of a node, with a drain before the restart and verification and activation after it.

    A node that an operator drained is not activated, and one that was paused is paused again. Without another node for
    its tasks it is not drained.
    """
    node = find_own_node(host, facts.membership, swarm.nodes)
    if node is None:
        return engine_steps
    restarts = any(isinstance(step, RestartEngine) for step in engine_steps)
    others = [other for other in swarm.nodes if other != node and other.takes_work]
    has_tasks = node.state == "ready" and node.availability in ("active", "pause")
    drain = (DrainNode(node.id),) if restarts and others and has_tasks else ()
    manages = (WaitForReachable(node.id),) if node.role == "manager" else ()
    verify = (WaitForReady(), *manages) if restarts else ()
    exclusive_steps = tuple(_restart_alone(step, node) for step in engine_steps)
    return (*drain, *exclusive_steps, *verify, *((ActivateNode(node.id),) if drain or node.drained_by_imker else ()))


def _restart_alone(step: Step, node: Node) -> Step:
    return replace(step, manager_node=node.id) if isinstance(step, RestartEngine) and node.role == "manager" else step


def _refuse_demotion(host: Host, node: Node, role: Role) -> Refusal | None:
    """Refuse to make a worker of a manager or pending manager."""
    own_node = node.id[:12]
    if role == "worker" == node.role and node.pending:
        reject = NextCommand(Reject(own_node), "keep it as a worker")
        return Refusal(
            f"{host.name} is a pending manager", next_commands=(reject, NextCommand(Accept(own_node), "accept it"))
        )
    if role == "worker" != node.role:
        demote = NextCommand(Demote(host.name), "make it a worker")
        migrate = NextCommand(Migrate(host.name, role), "continue after that")
        return Refusal(f"{host.name} is a manager", next_commands=(demote, migrate))
    return None


def _member_steps(node: Node, role: Role) -> tuple[Step, ...]:
    """Return a node's remaining steps. A manager that is still pending was promoted by a run that died: finish that."""
    ready: tuple[Step, ...] = () if node.state == "ready" else (WaitForReady(),)
    if role == "manager" == node.role and node.pending:
        return (WaitForReachable(node.id), UnmarkPending(node.id) if node.keeps_availability else ActivateNode(node.id))
    if role == "manager" and node.role == "worker" and not node.pending:
        was_joining = node.availability == "drain" and not node.drain_run  # a run died before it marked the node
        return (MarkPending(keeps_availability=not was_joining), *ready)
    return ready
