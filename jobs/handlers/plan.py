"""Show a host's plan, and the command that runs it."""

from imker.protocol.commands import Accept, Migrate, PlanHost
from imker.protocol.events import JobFinished, JobStarted
from imker.protocol.next_command import NextCommand
from jobs import plan
from jobs.context import JobContext
from jobs.facts.own_node import find_own_node
from jobs.handlers.assessment import Assessment, assess_host
from jobs.handlers.dispatcher import dispatch
from jobs.handlers.plan_events import emit_plan
from jobs.inventory.model import Host


@dispatch.register
def show_plan(command: PlanHost, context: JobContext) -> None:
    """Emit the plan of a host from its current state. Changes nothing."""
    host = context.find_host(command.host)
    context.events.emit(JobStarted(host.name))
    assessment = assess_host(context, host, command.role, command.docker_group)
    if isinstance(assessment.plan, plan.Refusal):
        return context.report_refusal(assessment.plan)
    emit_plan(context, host.name, assessment.plan)
    if not assessment.plan.steps:
        return context.events.emit(_nothing_to_do(host, assessment))
    return context.events.emit(_describe_plan(assessment.plan, command))


def _nothing_to_do(host: Host, assessment: Assessment) -> JobFinished:
    summary = f"nothing to do on {host.name}"
    node = find_own_node(host, assessment.facts.membership, assessment.swarm.nodes)
    if node is None or not node.pending:
        return JobFinished("unchanged", summary)
    accept = NextCommand(Accept(node.id[:12]), "accept it")
    return JobFinished("unchanged", f"{summary}: it waits to be accepted as a manager", next_commands=(accept,))


def _describe_plan(plan: plan.Plan, command: PlanHost) -> JobFinished:
    summary = f"{len(plan.steps)} steps planned. Nothing was changed."
    if blocks := "; ".join(finding.text for finding in plan.findings_of_level("block")):
        return JobFinished("done", f"{summary} The migration is refused until this is fixed: {blocks}")
    acceptance = " After them, the host waits to be accepted as a manager." if plan.needs_acceptance else ""
    migrate = NextCommand(Migrate(command.host, command.role, command.docker_group), "run them")
    return JobFinished("done", f"{summary}{acceptance}", next_commands=(migrate,))
