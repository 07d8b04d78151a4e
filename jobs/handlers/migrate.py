"""Migrate a host: plan from the current state, ask about warnings, execute, and ask what remains to be decided."""

from collections.abc import Callable
from dataclasses import replace

from imker.protocol.commands import ListNodes, Migrate
from imker.protocol.events import DecisionRequested, JobFinished, JobStarted, Outcome
from imker.protocol.next_command import BotCommand, NextCommand
from imker.protocol.node_commands import Upgrade
from jobs import steps
from jobs.context import JobContext
from jobs.errors import JobError, Paused
from jobs.events.option_digests import save_options
from jobs.execute.exclusive import hold_lock
from jobs.execute.rollback import RolledBack
from jobs.execute.runner import run_host_steps, run_swarm_steps
from jobs.facts import classic_swarm
from jobs.facts.own_node import find_own_node
from jobs.facts.packages import parse_engine_version
from jobs.facts.swarm import SwarmFacts, parse_membership
from jobs.gather import key_value_stores
from jobs.gather.key_value_stores import UnusedStore
from jobs.gather.known_swarm import gather_settled_swarm
from jobs.handlers import confirmation, containers, key_value_store
from jobs.handlers.accept import acceptance_question
from jobs.handlers.assessment import Assessment, assess_host
from jobs.handlers.dispatcher import dispatch
from jobs.handlers.plan_events import emit_plan
from jobs.inventory.model import Host
from jobs.plan import Plan, Refusal
from jobs.plan.fleet import find_deviation

OTHERS_FIRST = "Other managers of this fleet may be accepted before it; then there are more than shown here."


@dispatch.register
def migrate_host(command: Migrate, context: JobContext) -> None:
    """Run all remaining steps of the host's migration. Ends with an outcome or a question. Raises JobError."""

    def assess(host: Host) -> Assessment:
        return assess_host(context, host, command.role, command.docker_group)

    run_migration(context, command.host, f"migrate {command.host}", assess)


def run_migration(context: JobContext, name: str, purpose: str, assess: Callable[[Host], Assessment]) -> None:
    """Run all remaining steps of a host's plan. `purpose`: of its lock; `assess`: plans the host under that lock."""
    host = context.find_host(name)
    context.events.emit(JobStarted(name))
    with hold_lock(context, f"host:{name}", purpose) as lease:
        assessment = assess(host)
        plan = assessment.plan
        if isinstance(plan, Refusal):
            return context.report_refusal(plan)
        if deviation := _find_deviation(context, name, plan):
            return context.report_refusal(deviation)
        emit_plan(context, name, plan)
        if plan.steps and (outcome := _unresolved_findings(context, plan)):
            return context.events.emit(outcome)
        if question := confirmation.start_question(context, name, plan, (plan.warnings_fingerprint,)):
            return context.events.emit(question)
        context.events.emit(containers.snapshot_containers("before", assessment.facts))
        try:
            run_host_steps(context, host, plan.steps, assessment.swarm.managers, lease)
        except Paused as paused:
            return context.events.emit(_resume_question(plan, paused))
        except RolledBack as rolled_back:
            _reactivate(context, host, assessment.swarm, plan, rolled_back)
            raise
        return _finish(context, host, assessment, plan)


def _find_deviation(context: JobContext, host: str, plan: Plan) -> Refusal | None:
    """Return why the plan is not what the start of the run's fleet approved, None if it is."""
    fleet = context.request.parent_run
    fleet_plan = context.events.fleet_plan_of(fleet) if fleet else None
    deviation = find_deviation(fleet_plan, host, plan) if fleet_plan else None
    retry = NextCommand(BotCommand("retry", fleet), "plan the remaining hosts again")
    return replace(deviation, next_commands=(retry,)) if deviation else None


def _unresolved_findings(context: JobContext, plan: Plan) -> JobFinished | DecisionRequested | None:
    """Return the refusal for blocking findings, else the question about warnings, or None if the plan may run.

    An approval is valid for the warnings that were shown. With other warnings the question is asked again.
    """
    if blocks := plan.findings_of_level("block"):
        summary = "; ".join(finding.text for finding in blocks)
        state, first = "Nothing was changed.", blocks[0]
        return JobFinished("refused", summary, state, first.hint, next_commands=first.next_commands)
    valid = (plan.fingerprint, plan.warnings_fingerprint)
    is_approved = any(approval.fingerprint in valid for approval in context.request.approvals)
    if is_approved or not plan.findings_of_level("warn"):
        return None
    return DecisionRequested("continue", plan.fingerprint)


def _resume_question(plan: Plan, paused: Paused) -> DecisionRequested:
    parent = paused.parent_run
    resume_all = (NextCommand(BotCommand("resume", parent), "resume all hosts"),) if parent else ()
    return DecisionRequested(
        "resume", plan.warnings_fingerprint, summary=paused.state, user=paused.user, next_commands=resume_all
    )


def _reactivate(context: JobContext, host: Host, swarm: SwarmFacts, plan: Plan, rolled_back: RolledBack) -> None:
    """Activate the node again after a rollback, if the plan drained it. A failure is added to the run's state."""
    activate_steps = tuple(step for step in plan.steps if isinstance(step, steps.ActivateNode))
    if not activate_steps:
        return
    try:
        with hold_lock(context, "swarm", f"activate {host.name}") as lease:
            run_swarm_steps(context, host, activate_steps, swarm.managers, lease)
    except JobError as error:
        rolled_back.state = f"{rolled_back.state} Its node is still drained: {error.summary}.".lstrip()


def _finish(context: JobContext, host: Host, assessment: Assessment, plan: Plan) -> None:
    """Emit the outcome, or the next question: a pending manager, stopped containers, or an unused store."""
    options, after = assessment.facts.options, assessment.facts.containers
    if plan.steps:
        options, after = containers.gather_options_and_containers(context, host)
        version = parse_engine_version(plan.target_version)
        facts_after = replace(assessment.facts, engine_version=version, containers=after)
        context.events.emit(containers.snapshot_containers("after", facts_after))
    save_options(context.events, host.name, options)
    if plan.is_repair:
        return context.events.emit(_repaired(context, host))
    store_urls = classic_swarm.find_references(host, assessment.facts)
    unused = key_value_stores.find_unused_store(context, host, after, (*store_urls.current, *store_urls.former))
    if not plan.steps and not plan.needs_acceptance:
        summary = f"nothing to do: {host.name} is in the swarm and runs the target Engine"
        return context.events.emit(_end("unchanged", summary, unused))
    if unused and unused.in_swarm:
        key_value_store.report_ports(context, unused)
    not_running = containers.find_not_running(plan.steps, after)
    return context.events.emit(_next_question(context, host, assessment, plan, not_running, unused))


def _repaired(context: JobContext, host: Host) -> JobFinished:
    """Return the outcome of a repair: what the swarm looks like now, and that the rest can be planned."""
    swarm = gather_settled_swarm(context)
    continue_ = NextCommand(Migrate(host.name), "run the remaining steps")
    if swarm.problem or not swarm.exists:
        reason = swarm.problem or "no host reports a swarm"
        summary = f"{host.name}'s Engine runs again. The swarm cannot be shown yet: {reason}."
        return JobFinished("done", summary, next_commands=(NextCommand(ListNodes()), continue_))
    return JobFinished(
        "done", f"{host.name}'s Engine runs again, and the swarm is managed again.", next_commands=(continue_,)
    )


def _next_question(
    context: JobContext,
    host: Host,
    assessment: Assessment,
    plan: Plan,
    not_running: tuple[str, ...],
    unused: UnusedStore | None,
) -> DecisionRequested | JobFinished:
    """Return the most important question, or the outcome if there is none. Other questions become hints."""
    joined = any(isinstance(step, steps.InitSwarm | steps.JoinSwarm) for step in plan.steps)
    upgraded = f"{host.name} runs Engine {parse_engine_version(plan.target_version)}."
    migrated = f"{host.name} {'joined' if joined else 'is in'} the swarm."
    summary = upgraded if isinstance(context.request.command, Upgrade) else migrated
    if plan.needs_acceptance:
        fleet = OTHERS_FIRST if context.request.parent_run else ""
        hints = (fleet, containers.not_running_text(not_running), key_value_store.removal_hint(unused))
        next_commands = (*containers.start_commands(host, not_running), *key_value_store.removal_commands(unused))
        question = _acceptance_question_for(context, host)
        return replace(question, summary=" ".join(filter(None, hints)), next_commands=next_commands)
    if not_running:
        text = f"{summary} {key_value_store.removal_hint(unused)}".rstrip()
        return containers.start_question(host, not_running, text, key_value_store.removal_commands(unused))
    if unused and unused.in_swarm and assessment.facts.membership.state != "active":
        return key_value_store.removal_question(unused, summary)
    return _end("done", summary, unused)


def _end(outcome: Outcome, summary: str, unused: UnusedStore | None) -> JobFinished:
    """Return the outcome, with how to retire an unused store."""
    next_commands = key_value_store.removal_commands(unused)
    return JobFinished(outcome, summary, hint=key_value_store.removal_hint(unused), next_commands=next_commands)


def _acceptance_question_for(context: JobContext, host: Host) -> DecisionRequested:
    """Return the question whether to accept the host. Raises JobError if no manager lists its node."""
    swarm = gather_settled_swarm(context, ask_silent=False)
    membership = parse_membership(context.engine_factory(host).info())
    node = find_own_node(host, membership, swarm.nodes)
    if node is None:
        reason = swarm.problem or f"no manager lists its node at {host.advertise_address}"
        state = f"{host.name} is in the swarm as a drained worker. Its acceptance is not requested yet."
        migrate = NextCommand(Migrate(host.name, "manager"), "continue when the managers respond")
        raise JobError(f"cannot query the swarm: {reason}", host=host.name, state=state, next_commands=(migrate,))
    return acceptance_question(context, swarm, node)
