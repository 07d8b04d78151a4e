"""A host's place in the swarm: what is left to do for it, and what to know before. Pure."""

import re

from imker.protocol.command_text import format_command
from imker.protocol.commands import Accept, Migrate, Reject, Role
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
    WaitForReachable,
    WaitForReady,
)

RELEASE_CANDIDATE = re.compile(r"1\.12\.0-rc")


def effective_role(host: Host, facts: HostFacts, swarm: SwarmFacts) -> Role:
    """What nobody said otherwise: the inventory's, but who manages, or waits to, stays so."""
    node = find_own_node(host, facts.membership, swarm.nodes)
    return "manager" if node and (node.pending or node.role == "manager") else host.role


def plan_membership(host: Host, facts: HostFacts, swarm: SwarmFacts, role: Role) -> tuple[Step, ...] | Refusal:
    if swarm.problem:
        return Refusal(f"the swarm cannot be asked: {swarm.problem}", "See /swarm nodes.")
    if candidates := [node for node in swarm.nodes if RELEASE_CANDIDATE.match(node.engine_version)]:
        return _refuse_release_candidates(candidates)
    if against := find_identity_problem(host, facts.membership, swarm):
        return Refusal(against.text, against.hint, against.check)
    node = find_own_node(host, facts.membership, swarm.nodes)
    if facts.membership.state not in ("inactive", "") and node is None:
        return Refusal(
            f"{host.name} is in a swarm already ({facts.membership.state}), but in none that this inventory's managers know",
            f"On {host.name}: docker swarm leave, if nothing there is needed; then ask again.",
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
        return (InitSwarm(), WaitForReady())
    return Refusal(
        f"there is no swarm yet, and {host.name} is to be a worker",
        f"Start it with a manager first: {format_command(Migrate(host.name, 'manager'))}, or another host.",
    )


def _refuse_release_candidates(nodes: list[Node]) -> Refusal:
    """They knew no join tokens: who joined waited to be accepted, and released Engines do not speak with them."""
    nodes_text = (
        f"{', '.join(node.hostname for node in nodes)}: {', '.join(sorted({node.engine_version for node in nodes}))}"
    )
    return Refusal(
        f"the swarm is of Docker's release candidates ({nodes_text}), which released ones cannot join",
        "Begin anew: on each of its nodes docker swarm leave --force; then migrate them as hosts that are in no swarm.",
    )


def with_drain(host: Host, facts: HostFacts, swarm: SwarmFacts, engine_steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """The steps on a node's Engine, so that the swarm hardly sees its restart: drained before, verified after.

    What somebody else has drained or paused stays so; where no other node could take the work, it stays.
    """
    node = find_own_node(host, facts.membership, swarm.nodes)
    if node is None:
        return engine_steps
    restarts = any(isinstance(step, RestartEngine) for step in engine_steps)
    others = [other for other in swarm.nodes if other != node and _takes_work(other)]
    drain = (DrainNode(node.id),) if restarts and others and _takes_work(node) else ()
    manages = (WaitForReachable(node.id),) if node.role == "manager" else ()
    verify = (WaitForReady(), *manages) if restarts else ()
    return (*drain, *engine_steps, *verify, *((ActivateNode(node.id),) if drain or node.drained_by_imker else ()))


def _takes_work(node: Node) -> bool:
    return node.state == "ready" and node.availability == "active"


def _refuse_demotion(host: Host, node: Node, role: Role) -> Refusal | None:
    """Who manages, or waits to, is no worker by a migration."""
    own_node = node.id[:12]
    if role == "worker" == node.role and node.pending:
        hint = f"{format_command(Reject(own_node))} leaves it a worker; {format_command(Accept(own_node))} makes it a manager."
        return Refusal(f"{host.name} waits to be accepted as a manager", hint)
    if role == "worker" != node.role:
        hint = f"On another manager: docker node demote {own_node}; then {format_command(Migrate(host.name, role))}."
        return Refusal(f"{host.name} is a manager; Imker demotes none", hint)
    return None


def _member_steps(node: Node, role: Role) -> tuple[Step, ...]:
    """One that is a manager and still pending was accepted, and its job died after the promotion: that is finished."""
    ready: tuple[Step, ...] = () if node.state == "ready" else (WaitForReady(),)
    if role == "manager" == node.role and node.pending:
        return (WaitForReachable(node.id), ActivateNode(node.id))
    if role == "manager" and node.role == "worker" and not node.pending:
        return (MarkPending(), *ready)
    return ready
