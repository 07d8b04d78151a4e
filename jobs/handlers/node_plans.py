"""Carry out a plan that changes one node: ask first if there is something to ask, check again before each change."""

from collections.abc import Callable
from dataclasses import dataclass

from imker.protocol.events import DecisionRequested, JobFinished
from jobs import steps
from jobs.context import JobContext
from jobs.errors import JobError, Paused, StateChanged
from jobs.execute.exclusive import hold_lock
from jobs.execute.runner import describe_remaining, run_host_steps, run_swarm_steps, run_waiting_steps
from jobs.facts.swarm import Node, SwarmFacts
from jobs.gather.known_swarm import gather_settled_swarm
from jobs.handlers.plan_events import build_plan_event
from jobs.inventory.model import Host
from jobs.locking.lease import Lease
from jobs.plan import Refusal
from jobs.plan.node_changes import NodePlan
from jobs.plan.nodes import find_node

MakePlan = Callable[[Node, SwarmFacts], NodePlan | Refusal]


@dataclass(frozen=True)
class NodeChange:
    """What a command does to a host's node.

    `make_plan`: plans it from the current state; `summary`: what its question says before the quorum; `unchanged`: the
    outcome if there is nothing to do; `always_asks`: also without warnings; `removes`: its host may have left already.
    """

    host: Host
    make_plan: MakePlan
    summary: str
    unchanged: str
    always_asks: bool = True
    removes: bool = False


def carry_out(context: JobContext, change: NodeChange, lease: Lease) -> NodePlan | None:
    """Plan and carry out the change. Return the plan if it was carried out, None if the job ended otherwise.

    `lease`: of the host.
    """
    swarm = gather_settled_swarm(context)
    plan = _plan(change, swarm)
    if isinstance(plan, Refusal):
        context.report_refusal(plan)
        return None
    if end := _begin(context, change, plan):
        context.events.emit(end)
        return None
    try:
        _run_steps(context, change, plan, swarm, lease)
    except Paused as paused:
        context.events.emit(_resume_question(context, change, plan, paused))
        return None
    return plan


def _begin(context: JobContext, change: NodeChange, plan: NodePlan) -> DecisionRequested | JobFinished | None:
    """Emit the plan. Return the outcome if there is nothing to do, or what to ask before it starts.

    A run that continues after a pause is done, also if nothing is left by then.
    """
    if not plan.steps and not plan.needs_acceptance and context.request.job > 1:
        return None
    if not plan.steps and not plan.needs_acceptance:
        return JobFinished("unchanged", f"nothing to do: {change.unchanged}")
    context.events.emit(build_plan_event(plan))
    return _question(context, change, plan)


def _plan(change: NodeChange, swarm: SwarmFacts) -> NodePlan | Refusal:
    node = find_node(change.host, swarm, may_have_left=change.removes)
    return node if isinstance(node, Refusal) else change.make_plan(node, swarm)


def _question(context: JobContext, change: NodeChange, plan: NodePlan) -> DecisionRequested | None:
    """Return what to ask before the plan starts, None if it may run. An approval is valid for the same evidence."""
    if any(approval.fingerprint == plan.evidence for approval in context.request.approvals):
        return None
    text = f"{change.summary} {plan.details}".rstrip()
    host, changes = change.host.name, any(not isinstance(step, steps.WaitForTasks) for step in plan.steps)
    if changes and (change.always_asks or context.settings.rights.confirm):
        return DecisionRequested("start", plan.evidence, quorum=plan.quorum, host=host, summary=text)
    warns = plan.findings_of_level("warn")
    return DecisionRequested("continue", plan.evidence, host=host, summary=text) if warns else None


def _resume_question(context: JobContext, change: NodeChange, plan: NodePlan, paused: Paused) -> DecisionRequested:
    """Return the question whether to resume. Its approval is valid for the state after the pause."""
    rest = _plan(change, gather_settled_swarm(context))
    evidence = plan.evidence if isinstance(rest, Refusal) else rest.evidence
    return DecisionRequested("resume", evidence, host=change.host.name, summary=paused.state, user=paused.user)


def _run_steps(context: JobContext, change: NodeChange, plan: NodePlan, swarm: SwarmFacts, lease: Lease) -> None:
    """Execute the steps one by one. The swarm is locked for its changes, and not while tasks stop."""
    for number, step in enumerate(plan.steps):
        try:
            _run_step(context, change, plan, step, swarm, lease)
        except JobError as error:
            error.state = ""
            error.state = describe_remaining(error, change.host, plan.steps, number)
            raise


def _run_step(
    context: JobContext, change: NodeChange, plan: NodePlan, step: steps.Step, swarm: SwarmFacts, lease: Lease
) -> None:
    match step:
        case steps.WaitForTasks():
            run_waiting_steps(context, change.host, (step,), swarm.managers, lease)
        case steps.LeaveOnHost():
            run_host_steps(context, change.host, (step,), swarm.managers, lease)
        case _:
            with hold_lock(context, "swarm", context.request.command.text) as swarm_lease:
                managers = _check_again(context, change, plan, step)
                run_swarm_steps(context, change.host, (step,), managers, swarm_lease)


def _check_again(context: JobContext, change: NodeChange, plan: NodePlan, step: steps.Step) -> tuple[str, ...]:
    """Return the managers. Raise StateChanged if the step is no longer allowed, or changes another quorum.

    A host that is removed is asked last: it no longer manages the swarm after its demotion.
    """
    swarm = gather_settled_swarm(context)
    managers = tuple(sorted(swarm.managers, key=lambda name: name == change.host.name))
    if isinstance(step, steps.LeaveSwarm):  # the managers refuse to remove a manager
        return managers
    current = _plan(change, swarm)
    if isinstance(current, Refusal):
        raise StateChanged(current.summary, host=change.host.name, hint=current.hint)
    if step not in current.steps or current.node != plan.node:
        raise StateChanged(f"{change.host.name}'s node changed meanwhile", host=change.host.name)
    if isinstance(step, steps.DemoteNode) and current.quorum != plan.quorum:
        raise StateChanged("the number of managers changed meanwhile", host=change.host.name)
    return managers
