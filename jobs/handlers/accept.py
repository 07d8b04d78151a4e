"""Accept or reject a pending manager: only what enough people approved, and only if nothing changed since."""

from dataclasses import replace

from imker.protocol.events import DecisionRequested, JobFinished, JobStarted, Outcome
from jobs import plan
from jobs.context import JobContext
from jobs.errors import JobError
from jobs.execute.runner import hold_lock, run_swarm_steps
from jobs.facts import quorum
from jobs.facts.own_node import find_node_mismatch, hosts_at
from jobs.facts.swarm import Node, SwarmFacts, SwarmMembership
from jobs.gather import key_value_stores
from jobs.gather.known_swarm import gather_known_swarm as gather_swarm
from jobs.handlers import key_value_store
from jobs.handlers.plan_events import build_plan_event
from jobs.inventory.model import Host
from jobs.plan import Refusal, approvals


def accept_node(context: JobContext, prefix: str) -> None:
    """Promotes what enough people said yes to, if all is as they were shown; else asks, and says why it asks again."""
    context.events.emit(JobStarted())
    with hold_lock(context, "swarm", f"accept {prefix}") as lease:
        swarm = gather_swarm(context)
        acceptance_plan = plan.plan_acceptance(swarm, prefix)
        if isinstance(acceptance_plan, Refusal):
            return context.report_refusal(acceptance_plan)
        node = _pending_node(swarm, prefix)
        host, waiting = _host_behind(context, swarm, node), acceptance_question(context, swarm, node)
        problem = _approval_problem(context, waiting)
        if problem is not None:
            return context.events.emit(replace(waiting, approval_problem=problem))
        context.events.emit(build_plan_event(acceptance_plan))
        run_swarm_steps(context, host, acceptance_plan.steps, swarm.managers, lease)
        after = gather_swarm(context)
        managers = sum(member.role == "manager" for member in after.nodes)
        summary = f"{node.hostname} is a manager now. {quorum.describe_tolerance(managers)}."
        idle = key_value_stores.find_unused_store(context, host, (), (*host.store_urls, *host.former_store_urls))
        still_runs = (
            idle and idle.in_swarm and not idle.store.stopped
        )  # of one that is stopped somebody was asked already
        return context.events.emit(
            key_value_store.removal_question(idle, summary) if idle and still_runs else JobFinished("done", summary)
        )


def reject_node(context: JobContext, prefix: str, remove: bool) -> None:
    context.events.emit(JobStarted())
    with hold_lock(context, "swarm", f"reject {prefix}") as lease:
        swarm = gather_swarm(context)
        rejection_plan = plan.plan_rejection(swarm, prefix, remove)
        if isinstance(rejection_plan, Refusal):
            return context.report_refusal(rejection_plan)
        node = _pending_node(swarm, prefix)
        host = _host_behind(context, swarm, node)
        context.events.emit(build_plan_event(rejection_plan))
        run_swarm_steps(context, host, rejection_plan.steps, swarm.managers, lease)
        result_text = "is out of the swarm" if remove else "stays in the swarm as a worker"
        return _emit_outcome(context, "done", f"{node.hostname} {result_text}.")


def _approval_problem(context: JobContext, question: DecisionRequested) -> str | None:
    """Why nothing is done yet: "" when nobody said yes so far, None when nothing stands against it."""
    request = context.request
    if not request.approvals:
        return ""
    earlier_question = context.events.question_of(request.job - 1)
    return (
        approvals.find_approval_problem(
            request, earlier_question, question.fingerprint, context.settings.rights, context.now()
        )
        or None
    )


def acceptance_question(context: JobContext, swarm: SwarmFacts, node: Node) -> DecisionRequested:
    """The question, with the digest of all that a yes is of: who it is, where it is seen, what follows."""
    rights = context.settings.rights
    candidate = plan.build_candidate(_host_behind(context, swarm, node), node)
    numbers = plan.quorum_with_one_more(swarm)
    digest = plan.compute_fingerprint(candidate, numbers, plan.plan_acceptance(swarm, node.id))
    return DecisionRequested(
        "accept", digest, candidate, numbers, host=candidate.host,
        required_approvals=rights.accept_count, asked_at=context.now(), valid_seconds=rights.accept_within * 60.0,
    )  # fmt: skip


def _emit_outcome(context: JobContext, outcome: Outcome, summary: str) -> None:
    context.events.emit(JobFinished(outcome, summary))


def _pending_node(swarm: SwarmFacts, prefix: str) -> Node:
    node = plan.find_pending_node(swarm, prefix)
    assert not isinstance(node, Refusal)
    return node


def _host_behind(context: JobContext, swarm: SwarmFacts, node: Node) -> Host:
    """The inventory's host behind a node: by the address a manager observed, never by the name the node claims.

    The host itself may be down. If it answers, it has to say the same, but for a node that is gone.
    """
    hosts = hosts_at(node, context.inventory)
    if len(hosts) != 1:
        have = f"{', '.join(host.name for host in hosts)} have" if hosts else "no host of the inventory has"
        hint = "Give it to its host in imker.toml: [hosts.NAME] address, or swarm_address."
        raise JobError(f"{have} {node.address}, where node {node.id[:12]} is seen", hint=hint)
    host = context.require_allowed(hosts[0])
    place = swarm.memberships.get(host.name, SwarmMembership(node_id=node.id))
    found = find_node_mismatch(host, place, node, swarm) if node.state != "down" else None
    if found:
        raise JobError(found.text, host=host.name, hint=found.hint)
    return host
