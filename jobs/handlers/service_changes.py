"""Change services: plan from the current state, ask if there is something to ask, execute, and watch them converge."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from typing import Any

from imker.protocol.events import DecisionRequested, JobFinished, JobStarted
from imker.protocol.next_command import BotCommand, NextCommand
from imker.protocol.service_commands import CreateService, RestartService, RollBackService, ScaleServices, ShowService
from jobs.context import JobContext
from jobs.errors import Cancelled, JobError, Paused
from jobs.execute.exclusive import hold_lock
from jobs.execute.runner import run_service_steps
from jobs.facts.services.diff import diff_specs
from jobs.facts.services.model import Service, ServiceFacts
from jobs.facts.services.rows import describe
from jobs.facts.services.spec import spec_digest, with_restart
from jobs.gather.images import find_image
from jobs.gather.named_services import read_named, require_managers, require_service
from jobs.gather.services import read_one
from jobs.handlers.dispatcher import dispatch
from jobs.handlers.plan_events import build_plan_event
from jobs.locking.lease import Lease
from jobs.plan import Refusal
from jobs.plan.services import Digests, ServicePlan, plan_creation, plan_restart, plan_rollback, plan_scale
from jobs.steps.services import AwaitConvergence

Managers = tuple[str, ...]
MakePlan = Callable[[ServiceFacts, Managers], ServicePlan | Refusal]
Changes = CreateService | ScaleServices | RestartService | RollBackService


@dispatch.register
def create_service(command: CreateService, context: JobContext) -> None:
    """Create a service, after a person saw where it fits."""
    context.events.emit(JobStarted())
    context.require_service(command.name)

    def make_plan(facts: ServiceFacts, managers: Managers) -> ServicePlan | Refusal:
        image = find_image(context, managers, facts, command.image)
        return plan_creation(command, facts, image.pinned, image.platforms, image.finding)

    _change(context, require_managers(context), (command.name,), make_plan)


@dispatch.register
def scale_services(command: ScaleServices, context: JobContext) -> None:
    """Change the number of tasks of services."""
    managers, names = _resolve(context, command)
    numbers = dict(zip(names, (target.replicas for target in command.targets), strict=True))

    def make_plan(facts: ServiceFacts, managers: Managers) -> ServicePlan | Refusal:
        services = [service for service in facts.services if service.name in numbers]
        digests = {service.name: _digests(context, managers, service)[0] for service in services}
        return plan_scale([(each, numbers[each.name], digests[each.name]) for each in services], facts)

    _change(context, managers, names, make_plan)


@dispatch.register
def restart_service(command: RestartService, context: JobContext) -> None:
    """Replace the tasks of a service by new ones."""
    managers, names = _resolve(context, command)

    def make_plan(facts: ServiceFacts, managers: Managers) -> ServicePlan | Refusal:
        service = _named(facts, names[0])
        digests, document = _digests(context, managers, service)
        service_plan = plan_restart(service, digests)
        return _with_diff(service_plan, document["Spec"], with_restart(document["Spec"]))

    _change(context, managers, names, make_plan)


@dispatch.register
def roll_back_service(command: RollBackService, context: JobContext) -> None:
    """Return a service to its previous settings, after a person saw what differs."""
    managers, names = _resolve(context, command)

    def make_plan(facts: ServiceFacts, managers: Managers) -> ServicePlan | Refusal:
        service = _named(facts, names[0])
        digests, document = _digests(context, managers, service)
        service_plan = plan_rollback(service, digests)
        return _with_diff(service_plan, document["Spec"], document.get("PreviousSpec") or {})

    _change(context, managers, names, make_plan)


def _resolve(context: JobContext, command: Changes) -> tuple[Managers, tuple[str, ...]]:
    """Return the managers, and the full names of the services. Raise JobError if the request does not cover one."""
    context.events.emit(JobStarted())
    managers = require_managers(context)
    facts = read_named(context, managers, command.services)
    names = tuple(require_service(context, facts, text).name for text in command.services)
    if len(set(names)) < len(names):
        raise JobError(f"{' and '.join(command.services)} are the same service")
    return managers, names


def _change(context: JobContext, managers: Managers, names: Sequence[str], make_plan: MakePlan) -> None:
    """Plan under the locks of the services, and run the plan, or end with a refusal or a question."""
    with _hold_locks(context, names) as leases:
        service_plan = make_plan(read_named(context, managers, names), managers)
        if isinstance(service_plan, Refusal):
            return context.report_refusal(service_plan)
        context.events.emit(
            replace(build_plan_event(service_plan.plan), diff=service_plan.diff, fingerprint=service_plan.fingerprint)
        )
        if outcome := _outcome_before(context, service_plan, tuple(names)):
            return context.events.emit(outcome)
        try:
            results = run_service_steps(context, service_plan.plan.steps, managers, leases)
        except Paused as paused:
            return context.events.emit(_resume_question(service_plan, paused, tuple(names)))
        except Cancelled:
            raise
        except JobError as error:
            error.next_commands = error.next_commands or _show_failure(context, managers, names)
            raise
        return context.events.emit(JobFinished("done", _summary(service_plan, results)))


def _summary(service_plan: ServicePlan, results: Sequence[str]) -> str:
    """Return how each service converged."""
    ends = [
        f"{step.service} {result}"
        for step, result in zip(service_plan.plan.steps, results, strict=True)
        if isinstance(step, AwaitConvergence)
    ]
    return f"{'; '.join(ends)}."


@contextmanager
def _hold_locks(context: JobContext, names: Sequence[str]) -> Iterator[dict[str, Lease]]:
    """Hold the lock of each service, in one order for all runs."""
    with ExitStack() as stack:
        purpose = context.request.command.type
        locks = {name: hold_lock(context, f"service:{name}", f"{purpose} {name}") for name in sorted(names)}
        yield {name: stack.enter_context(lock) for name, lock in locks.items()}


def _outcome_before(
    context: JobContext, service_plan: ServicePlan, names: tuple[str, ...]
) -> JobFinished | DecisionRequested | None:
    """Return the refusal for blocking findings, that there is nothing to do, or the question. None to run the plan."""
    if blocks := service_plan.plan.findings_of_level("block"):
        summary = "; ".join(finding.text for finding in blocks)
        return JobFinished("refused", summary, "Nothing was changed.", blocks[0].hint)
    if not service_plan.plan.steps:
        return JobFinished("unchanged", f"nothing to do: {' and '.join(names)} run as requested")
    approvals, fingerprint = context.request.approvals, service_plan.fingerprint
    if any(approval.fingerprint == fingerprint for approval in approvals):
        return None
    if not service_plan.asks and not context.settings.rights.confirm:
        return None
    summary = "The services changed after the plan was approved. This is the new plan." if approvals else ""
    return DecisionRequested("start", fingerprint, summary=summary, services=names)


def _resume_question(service_plan: ServicePlan, paused: Paused, names: tuple[str, ...]) -> DecisionRequested:
    return DecisionRequested(
        "resume", service_plan.fingerprint, summary=paused.state, user=paused.user, services=names
    )  # fmt: skip


def _show_failure(context: JobContext, managers: Managers, names: Sequence[str]) -> tuple[NextCommand, ...]:
    """Emit the first service that is not healthy, and return what to do next."""
    retry = NextCommand(BotCommand("retry", context.request.run))
    for name in names:
        with suppress(JobError):
            facts = read_one(context.engine_factory(context.inventory[managers[0]]), name)
            service = next(iter(facts.services), None)
            if service is None or (service.is_healthy and not service.was_rolled_back):
                continue
            context.events.emit(describe(service, facts, time.time()))
            can_return = service.has_previous_spec and not isinstance(context.request.command, RollBackService)
            rollback = (NextCommand(RollBackService(name), "return to its previous settings"),) if can_return else ()
            return (retry, *rollback, NextCommand(ShowService(name), "see it again"))
    return (retry,)


def _named(facts: ServiceFacts, name: str) -> Service:
    """Return the service. Raise JobError if it was removed meanwhile."""
    match = next((service for service in facts.services if service.name == name), None)
    if match is None:
        raise JobError(f"service {name} was removed meanwhile")
    return match


def _digests(context: JobContext, managers: Managers, service: Service) -> tuple[Digests, dict[str, Any]]:
    """Return what the plan is bound to, and the service with its complete Specs."""
    document = context.engine_factory(context.inventory[managers[0]]).service(service.id)
    return Digests(spec_digest(document["Spec"]), spec_digest(document.get("PreviousSpec") or {})), document


def _with_diff(
    service_plan: ServicePlan | Refusal, before: dict[str, Any], after: dict[str, Any]
) -> ServicePlan | Refusal:
    return service_plan if isinstance(service_plan, Refusal) else replace(service_plan, diff=diff_specs(before, after))
