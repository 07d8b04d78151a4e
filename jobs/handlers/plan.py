"""Show a host's plan, and what to type next."""

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
    host = context.find_host(name)
    context.events.emit(JobStarted(name))
    outlook = assess_host(context, host, role, docker_group)
    if isinstance(outlook.plan, plan.Refusal):
        return context.report_refusal(outlook.plan)
    emit_plan(context, name, outlook.plan)
    if not outlook.plan.steps:
        return context.events.emit(JobFinished("unchanged", f"nothing to do on {name}{_pending_hint(host, outlook)}"))
    return context.events.emit(
        JobFinished("done", _summarize(outlook.plan, format_command(Migrate(name, role, docker_group))))
    )


def _pending_hint(host: Host, assessment: Assessment) -> str:
    node = find_own_node(host, assessment.facts.membership, assessment.swarm.nodes)
    return (
        f": it waits to be accepted as a manager, {format_command(Accept(node.id[:12]))}"
        if node and node.pending
        else ""
    )


def _summarize(plan: plan.Plan, migrate_command: str) -> str:
    summary = f"{len(plan.steps)} steps; nothing was changed."
    blocks = "; ".join(finding.text for finding in plan.findings_of_level("block"))
    if blocks:
        return f"{summary} {migrate_command} is refused until this is mended: {blocks}"
    return f"{summary} Do it: {migrate_command}" + (
        ", and then it waits to be accepted as a manager" if plan.needs_acceptance else ""
    )
