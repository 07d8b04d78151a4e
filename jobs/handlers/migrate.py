"""Migrate a host: plan from the current state, ask about warnings, execute, and ask what is left to decide."""

from dataclasses import replace

from imker.protocol.command_text import format_command
from imker.protocol.commands import Migrate, Role
from imker.protocol.events import DecisionRequested, JobFinished, JobStarted
from jobs import steps
from jobs.context import JobContext
from jobs.errors import JobError, Paused
from jobs.execute.rollback import RolledBack
from jobs.execute.runner import hold_lock, run_host_steps, run_swarm_steps
from jobs.facts import classic_swarm
from jobs.facts.own_node import find_own_node
from jobs.facts.packages import parse_engine_version
from jobs.facts.swarm import SwarmFacts, parse_membership
from jobs.gather import key_value_stores
from jobs.gather.key_value_stores import UnusedStore
from jobs.gather.known_swarm import gather_known_swarm as gather_swarm
from jobs.handlers import containers, key_value_store
from jobs.handlers.accept import acceptance_question
from jobs.handlers.assessment import Assessment, assess_host
from jobs.handlers.plan_events import emit_plan
from jobs.inventory.model import Host
from jobs.plan import Plan, Refusal


def migrate_host(context: JobContext, name: str, role: Role | None, docker_group: bool) -> None:
    host = context.find_host(name)
    context.events.emit(JobStarted(name))
    with hold_lock(context, f"host:{name}", f"migrate {name}") as lease:
        outlook = assess_host(context, host, role, docker_group)
        plan = outlook.plan
        if isinstance(plan, Refusal):
            return context.report_refusal(plan)
        emit_plan(context, name, plan)
        if plan.steps and (_finish_if_blocked(context, plan) or _ask_about_warnings(context, plan)):
            return None
        context.events.emit(containers.snapshot_containers("before", outlook.facts))
        try:
            run_host_steps(context, host, plan.steps, outlook.swarm.managers, lease)
        except Paused as paused:
            fleet_hint = (
                f"With its fleet: /swarm resume {paused.parent_run} goes on with all. " if paused.parent_run else ""
            )
            return context.events.emit(
                DecisionRequested(
                    "resume", plan.warnings_fingerprint, summary=fleet_hint + paused.state, user=paused.user
                )
            )
        except RolledBack as restored:
            _reactivate(context, host, outlook.swarm, plan, restored)
            raise
        return _finish(context, host, outlook, plan)


# --- asking --------------------------------------------------------------------------------------------------------


def _finish_if_blocked(context: JobContext, plan: Plan) -> bool:
    blocks = plan.findings_of_level("block")
    if blocks:
        summary = "; ".join(finding.text for finding in blocks)
        context.events.emit(JobFinished("refused", summary, "Nothing was changed.", blocks[0].hint))
    return bool(blocks)


def _ask_about_warnings(context: JobContext, plan: Plan) -> bool:
    """Warnings are a person's to weigh; a yes holds for those that were shown, and with others it is asked anew."""
    is_approved = any(
        approval.fingerprint in (plan.fingerprint, plan.warnings_fingerprint) for approval in context.request.approvals
    )
    if is_approved or not plan.findings_of_level("warn"):
        return False
    context.events.emit(DecisionRequested("continue", plan.fingerprint))
    return True


def _reactivate(context: JobContext, host: Host, swarm: SwarmFacts, plan: Plan, rolled_back: RolledBack) -> None:
    """A node whose Engine is back as it was can do what it did."""
    activate_steps = tuple(step for step in plan.steps if isinstance(step, steps.ActivateNode))
    if not activate_steps:
        return
    try:
        with hold_lock(context, "swarm", f"let {host.name} have work again") as lease:
            run_swarm_steps(context, host, activate_steps, swarm.managers, lease)
    except JobError as error:
        rolled_back.state = f"{rolled_back.state} It has no work from the swarm yet: {error.summary}.".lstrip()


# --- concluding -----------------------------------------------------------------------------------------------------


def _finish(context: JobContext, host: Host, assessment: Assessment, plan: Plan) -> None:
    """A manager-to-be waits for a person, and so does what did not come back, and a store that nobody needs."""
    after = containers.gather_containers(context, host) if plan.steps else assessment.facts.containers
    if plan.steps:
        context.events.emit(
            containers.snapshot_containers(
                "after",
                replace(assessment.facts, engine_version=parse_engine_version(plan.target_version), containers=after),
            )
        )
    store_urls = classic_swarm.find_references(host, assessment.facts)
    idle = key_value_stores.find_unused_store(context, host, after, (*store_urls.current, *store_urls.former))
    if not plan.steps and not plan.needs_acceptance:
        summary = f"nothing to do: {host.name} is in the swarm, on the wanted Engine"
        return context.events.emit(JobFinished("unchanged", summary, hint=key_value_store.removal_hint(idle)))
    if idle and idle.in_swarm:
        key_value_store.report_ports(context, idle)
    return context.events.emit(
        _next_question(context, host, assessment, plan, containers.find_not_running(plan.steps, after), idle)
    )


def _next_question(
    context: JobContext,
    host: Host,
    assessment: Assessment,
    plan: Plan,
    not_running: tuple[str, ...],
    unused: UnusedStore | None,
) -> DecisionRequested | JobFinished:
    """One at a time; what might be asked as well is told with it."""
    summary = f"{host.name} is in the swarm."
    if plan.needs_acceptance:
        hints = (containers.not_running_text(host, not_running), key_value_store.removal_hint(unused))
        return replace(_acceptance_question_for(context, host), summary=" ".join(filter(None, hints)))
    if not_running:
        return containers.start_question(
            host, not_running, f"{summary} {key_value_store.removal_hint(unused)}".rstrip()
        )
    if unused and unused.in_swarm and assessment.facts.membership.state != "active":
        return key_value_store.removal_question(unused, summary)
    return JobFinished("done", summary, hint=key_value_store.removal_hint(unused))


def _acceptance_question_for(context: JobContext, host: Host) -> DecisionRequested:
    swarm = gather_swarm(context)
    own = parse_membership(context.engine_factory(host).info())
    node = find_own_node(host, own, swarm.nodes)
    if node is None:
        reason = swarm.problem or f"no manager sees its node at {host.advertise_address}"
        state = f"{host.name} is in the swarm, without work, and nobody is asked to accept it yet."
        hint = f"{format_command(Migrate(host.name, 'manager'))} asks, once the swarm can be asked."
        raise JobError(f"the swarm cannot be asked: {reason}", host=host.name, hint=hint, state=state)
    return acceptance_question(context, swarm, node)
