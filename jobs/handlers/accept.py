"""Accept or reject a pending manager, only if enough people approved it and nothing changed since."""

from dataclasses import replace

from imker.protocol.commands import Accept, Reject
from imker.protocol.events import DecisionRequested, JobFinished, JobStarted
from imker.protocol.run_id import host_run_id
from jobs import plan
from jobs.context import JobContext
from jobs.errors import JobError
from jobs.execute.exclusive import hold_lock
from jobs.execute.runner import run_swarm_steps
from jobs.facts import quorum
from jobs.facts.own_node import find_node_mismatch, hosts_at
from jobs.facts.swarm import Node, SwarmFacts, SwarmMembership
from jobs.gather import key_value_stores
from jobs.gather.known_swarm import gather_settled_swarm
from jobs.handlers import confirmation, key_value_store
from jobs.handlers.dispatcher import dispatch
from jobs.handlers.plan_events import build_plan_event
from jobs.inventory.model import Host
from jobs.plan import Refusal, approvals


@dispatch.register
def accept_node(command: Accept, context: JobContext) -> None:
    """Promote the node if enough people approved its current state. Otherwise ask for approval, with the reason."""
    context.events.emit(JobStarted())
    with hold_lock(context, "swarm", f"accept {command.node}") as lease:
        swarm = gather_settled_swarm(context)
        acceptance_plan = plan.plan_acceptance(swarm, command.node)
        if isinstance(acceptance_plan, Refusal):
            return context.report_refusal(acceptance_plan)
        node = _pending_node(swarm, command.node)
        host, question = _host_behind(context, swarm, node), acceptance_question(context, swarm, node)
        problem = _approval_problem(context, question)
        if problem is not None:
            return context.events.emit(replace(question, approval_problem=problem))
        context.events.emit(build_plan_event(acceptance_plan))
        run_swarm_steps(context, host, acceptance_plan.steps, swarm.managers, lease)
        after = gather_settled_swarm(context)
        managers = sum(member.role == "manager" for member in after.nodes)
        summary = f"{node.hostname} is a manager now. {quorum.describe_tolerance(managers)}."
        unused = key_value_stores.find_unused_store(context, host, (), (*host.store_urls, *host.former_store_urls))
        if unused and unused.in_swarm and not unused.store.stopped:  # a stopped store was asked about when it stopped
            return context.events.emit(key_value_store.removal_question(unused, summary))
        return context.events.emit(JobFinished("done", summary))


@dispatch.register
def reject_node(command: Reject, context: JobContext) -> None:
    """Keep a pending node as a worker, or remove it from the swarm."""
    context.events.emit(JobStarted())
    with hold_lock(context, "swarm", f"reject {command.node}") as lease:
        swarm = gather_settled_swarm(context)
        rejection_plan = plan.plan_rejection(swarm, command.node, command.remove)
        if isinstance(rejection_plan, Refusal):
            return context.report_refusal(rejection_plan)
        node = _pending_node(swarm, command.node)
        host = _host_behind(context, swarm, node)
        context.events.emit(build_plan_event(rejection_plan))
        if question := confirmation.start_question(context, host.name, rejection_plan):
            return context.events.emit(question)
        run_swarm_steps(context, host, rejection_plan.steps, swarm.managers, lease)
        result_text = "was removed from the swarm" if command.remove else "stays in the swarm as a worker"
        return context.events.emit(JobFinished("done", f"{node.hostname} {result_text}."))


def _approval_problem(context: JobContext, question: DecisionRequested) -> str | None:
    """Return why the node is not accepted yet: "" if there is no approval so far, None if the approvals are valid."""
    request = context.request
    if not request.approvals:
        return ""
    earlier_question = context.events.question_of(request.job - 1)
    rights, now = context.settings.rights, context.now()
    managers = question.quorum.managers if question.quorum else None
    problem = approvals.find_approval_problem(request, earlier_question, question.fingerprint, rights, now, managers)
    return problem or None


def acceptance_question(context: JobContext, swarm: SwarmFacts, node: Node) -> DecisionRequested:
    """Return the question, with a fingerprint of what is approved: the candidate, the other managers, and the plan.

    Several managers of a fleet wait at once. In which order they are accepted changes no fingerprint: managers that the
    same fleet has accepted do not count, and one of them may not be reachable yet.
    """
    rights = context.settings.rights
    candidate = plan.build_candidate(_host_behind(context, swarm, node), node)
    fleet_nodes = _accepted_by_fleet(context)
    managers = sorted(other.id for other in swarm.nodes if other.role == "manager" and other.id not in fleet_nodes)
    digest = plan.compute_fingerprint(candidate, managers, plan.Plan(plan.acceptance_steps(node)))
    return DecisionRequested(
        "accept", digest, candidate, plan.quorum_with_one_more(swarm), host=candidate.host,
        required_approvals=rights.accept_count, asked_at=context.now(), valid_seconds=rights.accept_within * 60.0,
    )  # fmt: skip


def _accepted_by_fleet(context: JobContext) -> set[str]:
    """Return the IDs of the nodes that approvals in the run's fleet have made managers, as the signed events say.

    Others do not count as approved, even if the fleet's plan names their host: promoted by hand, or by another run.
    """
    fleet = context.request.parent_run
    fleet_plan = context.events.fleet_plan_of(fleet) if fleet else None
    hosts = [item.host for item in fleet_plan.host_plans if item.role == "manager"] if fleet_plan else []
    logs = (context.events.event_log(host_run_id(fleet, host)) for host in hosts)
    return {node for log in logs for node in approvals.find_promoted_nodes(log)}


def _pending_node(swarm: SwarmFacts, prefix: str) -> Node:
    node = plan.find_pending_node(swarm, prefix)
    assert not isinstance(node, Refusal)
    return node


def _host_behind(context: JobContext, swarm: SwarmFacts, node: Node) -> Host:
    """Return the inventory's host of a node, by the address that a manager observed, never by the name it claims.

    Raises JobError if that is not one host, or if the host responds and reports another node ID. A host that is down
    cannot confirm its node ID, and a node that is down may be an earlier one of its host.
    """
    hosts = hosts_at(node, context.inventory)
    if len(hosts) != 1:
        owner = f"{', '.join(host.name for host in hosts)} have" if hosts else "no host of the inventory has"
        hint = "Correct its host in imker.toml: [hosts.NAME] address, or swarm_address."
        raise JobError(f"node {node.id[:12]} is at {node.address}, which {owner}", hint=hint)
    host = context.require_allowed(hosts[0])
    membership = swarm.memberships.get(host.name, SwarmMembership(node_id=node.id))
    finding = find_node_mismatch(host, membership, node, swarm) if node.state != "down" else None
    if finding:
        raise JobError(finding.text, host=host.name, hint=finding.hint)
    return host
