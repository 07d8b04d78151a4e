"""Show a host's plan, and the command that runs it."""

from imker.protocol.command_text import format_command
from imker.protocol.commands import Accept, Migrate, Role
from imker.protocol.events import JobFinished, JobStarted
from jobs import plan
from jobs.context import JobContext
from jobs.facts.own_node import find_own_node
from jobs.handlers.assessment import Assessment, assess_host
from jobs.handlers.plan_events import emit_plan
from jobs.inventory.model import Host


def show_plan(context: JobContext, name: str, role: Role | None, docker_group: bool) -> None:
    """Emit the plan of a host from its current state. Changes nothing."""
    host = context.find_host(name)
    context.events.emit(JobStarted(name))
    assessment = assess_host(context, host, role, docker_group)
    if isinstance(assessment.plan, plan.Refusal):
        return context.report_refusal(assessment.plan)
    emit_plan(context, name, assessment.plan)
    if not assessment.plan.steps:
        summary = f"nothing to do on {name}{_pending_hint(host, assessment)}"
        return context.events.emit(JobFinished("unchanged", summary))
    summary = _summarize(assessment.plan, format_command(Migrate(name, role, docker_group)))
    return context.events.emit(JobFinished("done", summary))


def _pending_hint(host: Host, assessment: Assessment) -> str:
    node = find_own_node(host, assessment.facts.membership, assessment.swarm.nodes)
    if node and node.pending:
        return f": it waits to be accepted as a manager ({format_command(Accept(node.id[:12]))})"
    return ""


def _summarize(plan: plan.Plan, migrate_command: str) -> str:
    summary = f"{len(plan.steps)} steps planned. Nothing was changed."
    blocks = "; ".join(finding.text for finding in plan.findings_of_level("block"))
    if blocks:
        return f"{summary} {migrate_command} is refused until this is fixed: {blocks}"
    acceptance = ", after which the host waits to be accepted as a manager" if plan.needs_acceptance else ""
    return f"{summary} To run it: {migrate_command}{acceptance}"
