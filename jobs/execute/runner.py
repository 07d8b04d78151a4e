"""Execute a plan step by step. Emit an event before and after each step; check the lock and any hold first.

Each step first claims what it changes, the host or the swarm, with its fencing token. After a claim by a later run, the
claim of this run is rejected. A step whose first command runs as root on the host needs no claim of its own: that
command makes the claim.
"""

import hashlib
from collections.abc import Callable, Mapping
from functools import partial

from imker.failpoints import failpoint
from imker.protocol.events import FileChanged, StepDone, StepFailed, StepProgress, StepStarted, ThreadDetail
from imker.redaction import redact_output
from jobs import steps
from jobs.connectors.fenced_shell import FencedShell, claim_token
from jobs.connectors.shell import LOSSLESS_ERRORS, Shell
from jobs.context import JobContext
from jobs.errors import InternalError, JobError
from jobs.execute import membership
from jobs.execute.exclusive import run_exclusively
from jobs.execute.holds import check_cancelled, check_hold
from jobs.execute.rollback import RollbackFailed, RolledBack
from jobs.execute.target import StepTarget, UnavailableShell
from jobs.inventory.model import Host
from jobs.locking.lease import Lease
from jobs.steps.services import SERVICE_STEPS, service_of
from jobs.steps.titles import describe_step

NOT_ROLLED_BACK = (
    steps.RemoveClassicContainers,
    steps.StopStore,
    steps.AddToGroup,
)  # steps that a rollback does not undo
CLAIMING_STEPS = (
    steps.RemoveClassicContainers,
    steps.StopStore,
    steps.RemoveStore,
    steps.AddToGroup,
    steps.SwitchAptSource,
    steps.RewriteOptions,
    steps.UpgradeEngine,
    steps.RestoreOptions,
    steps.RestartEngine,
    steps.EnsureContainersRunning,
    steps.LeaveOnHost,
)  # steps whose first command claims the host
Claim = Callable[[steps.Step], None]
Steps = tuple[steps.Step, ...]


def run_host_steps(
    context: JobContext, host: Host, plan_steps: tuple[steps.Step, ...], managers: tuple[str, ...], lease: Lease
) -> None:
    """Execute steps on one host, whose lock is `lease`. A JobError of a step gets the state of the host."""
    if not plan_steps:
        return
    with context.open_shell(host) as shell:
        fenced_shell = FencedShell(shell, claim_token(lease, lambda token: FencedShell(shell, token).claim_host()))
        target = _make_target(context, host, fenced_shell, managers)
        _run_each(context, plan_steps, target, lambda step: lease, partial(_claim_host, fenced_shell))


def _claim_host(shell: FencedShell, step: steps.Step) -> None:
    """Claim the host for a step, or let the first command of the step do so."""
    if isinstance(step, CLAIMING_STEPS):
        shell.start_step()
    else:
        shell.claim_host()


def run_swarm_steps(
    context: JobContext, host: Host, plan_steps: tuple[steps.Step, ...], managers: tuple[str, ...], lease: Lease
) -> None:
    """Execute steps that need only Engines, no SSH. `lease`: of the swarm; `host`: whose node is changed."""
    target = _make_target(context, host, UnavailableShell(host.name), managers)
    token = claim_token(lease, lambda token: membership.claim_swarm(target, token))
    _run_each(context, plan_steps, target, lambda step: lease, lambda step: membership.claim_swarm(target, token))


def run_service_steps(
    context: JobContext, plan_steps: Steps, managers: tuple[str, ...], leases: Mapping[str, Lease]
) -> tuple[str, ...]:
    """Execute steps that change services, and return their results. `leases`: by the full name of the service.

    They need no claim: a manager rejects a Spec that was made from an older one.
    """
    host = context.inventory[managers[0]]
    target = _make_target(context, host, UnavailableShell(host.name), managers)
    return _run_each(context, plan_steps, target, lambda step: leases[service_of(step)], lambda step: None)


def run_waiting_steps(
    context: JobContext, host: Host, plan_steps: tuple[steps.Step, ...], managers: tuple[str, ...], lease: Lease
) -> None:
    """Execute steps that only wait for the swarm, and change nothing. `lease`: of the host."""
    target = _make_target(context, host, UnavailableShell(host.name), managers)
    _run_each(context, plan_steps, target, lambda step: lease, lambda step: None)


def _run_each(
    context: JobContext, plan_steps: Steps, target: StepTarget, lease_of: Callable[[steps.Step], Lease], claim: Claim
) -> tuple[str, ...]:
    results: list[str] = []
    for number, step in enumerate(plan_steps):
        failpoint("step.next")
        try:
            check_hold(context)
            results.append(_run_step(context, step, target, lease_of(step), claim))
        except JobError as error:
            error.state = describe_remaining(error, target.host, plan_steps, number)
            raise
    return tuple(results)


def _run_step(context: JobContext, step: steps.Step, target: StepTarget, lease: Lease, claim: Claim) -> str:
    key = describe_step(step).key
    target.on_progress = _progress_reporter(context, key)
    context.events.emit(StepStarted(key))
    failpoint("step.reported")
    try:
        if lease.lost.is_set():
            place = service_of(step) or target.host.name
            raise JobError(f"lost the lock on {place}; another run may hold it now", host=target.host.name)
        claim(step)
        result = run_exclusively(context, step, target)
    except JobError as error:
        context.events.emit(StepFailed(key, error.summary))
        raise
    except Exception as unexpected:
        internal_error = InternalError(target.host.name)
        context.events.emit(StepFailed(key, internal_error.summary))
        raise internal_error from unexpected
    failpoint("step.done")
    context.events.emit(StepDone(key, result))
    return result


def describe_remaining(error: JobError, host: Host, plan_steps: tuple[steps.Step, ...], failed_at: int) -> str:
    """Return the state of a host after a failed step: completed and remaining steps, or those that a rollback left."""
    titles = [describe_step(step).title for step in plan_steps]
    if isinstance(error, RolledBack | RollbackFailed):
        stays = [
            title
            for title, step in zip(titles, plan_steps[:failed_at], strict=False)
            if isinstance(step, NOT_ROLLED_BACK)
        ]
        return f"{error.state} Not rolled back: {'; '.join(stays)}." if stays else error.state
    completed, rest = "; ".join(titles[:failed_at]) or "nothing", "; ".join(titles[failed_at:])
    where = "" if isinstance(plan_steps[0], SERVICE_STEPS) else f" on {host.name}"
    return error.state or f"Completed{where}: {completed}. Not done: {rest}."


def _progress_reporter(context: JobContext, key: str) -> Callable[[str], None]:
    """Return a function that emits a step's progress, without repeating the previous text."""
    previous = ""

    def emit_progress(text: str) -> None:
        nonlocal previous
        if text and text != previous:
            previous = text
            context.events.emit(StepProgress(key, text))

    return emit_progress


def _make_target(context: JobContext, host: Host, shell: Shell, managers: tuple[str, ...]) -> StepTarget:
    return StepTarget(
        host=host,
        shell=shell,
        inventory=context.inventory,
        engine_factory=context.engine_factory,
        on_progress=lambda text: None,
        on_output=lambda title, text: context.events.emit(ThreadDetail(title, redact_output(text))),
        on_file_change=lambda path, before, after: context.events.emit(_file_changed(host, path, before, after)),
        address_pool=str(context.settings.fleet.address_pool),
        managers=managers,
        check_hold=partial(check_hold, context),
        check_cancelled=lambda: check_cancelled(context),
    )


def _file_changed(host: Host, path: str, before: str, after: str) -> FileChanged:
    """Return the event of a change, with digests instead of texts, as a file may contain secrets."""
    old, new = (
        hashlib.sha256(text.encode(errors=LOSSLESS_ERRORS)).hexdigest() if text else "" for text in (before, after)
    )
    return FileChanged(host.name, path, old, new)
