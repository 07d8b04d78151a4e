"""Carries a plan out, step by step: each told at both ends, none without its lock, none after a hold.

What a step changes is claimed before: the host, or the swarm for who is in it; a later run's claim refuses ours.
"""

import hashlib
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from imker.failpoints import failpoint
from imker.protocol.events import FileChanged, StepDone, StepFailed, StepProgress, StepStarted, ThreadDetail
from jobs import steps
from jobs.connectors.fenced_shell import FencedShell, claim_token
from jobs.connectors.shell import LOSSLESS_ERRORS, Shell
from jobs.context import JobContext
from jobs.errors import Cancelled, InternalError, JobError, Paused, StateChanged
from jobs.execute import execute_step, membership
from jobs.execute.rollback import RollbackFailed, RolledBack
from jobs.execute.target import StepTarget, UnavailableShell
from jobs.gather.known_swarm import gather_known_swarm as gather_swarm
from jobs.inventory.model import Host
from jobs.locking.lease import Lease, LockHolder, acquire_lock

NOT_ROLLED_BACK = (
    steps.RemoveClassicContainers,
    steps.StopStore,
    steps.AddToGroup,
)  # also on a host that is put back to what it was
LOCK_TIMEOUT = 45  # seconds to wait for a lock: longer than the lease of a holder that died


def run_host_steps(
    context: JobContext, host: Host, plan_steps: tuple[steps.Step, ...], managers: tuple[str, ...], lease: Lease
) -> None:
    """On one host, which `lease` is of. A failing step is told, and raises, with the state the host is left in."""
    if not plan_steps:
        return
    with context.open_shell(host) as shell:
        fenced_shell = FencedShell(shell, claim_token(lease, lambda mark: FencedShell(shell, mark).claim_host()))
        _run_each(
            context, plan_steps, _make_target(context, host, fenced_shell, managers), lease, fenced_shell.claim_host
        )


def run_swarm_steps(
    context: JobContext, host: Host, plan_steps: tuple[steps.Step, ...], managers: tuple[str, ...], lease: Lease
) -> None:
    """As carry_out, over Engines alone; `lease` is of the swarm, and `host` whose node it is about."""
    site = _make_target(context, host, UnavailableShell(host.name), managers)
    mark = claim_token(lease, lambda mark: membership.claim_swarm(site, mark))
    _run_each(context, plan_steps, site, lease, lambda: membership.claim_swarm(site, mark))


def _run_each(
    context: JobContext, plan_steps: tuple[steps.Step, ...], target: StepTarget, lease: Lease, claim: Callable[[], None]
) -> None:
    for number, step in enumerate(plan_steps):
        failpoint("step.next")
        try:
            _check_hold(context)
            _run_step(context, step, target, lease, claim)
        except JobError as error:
            error.state = _describe_remaining(error, target.host, plan_steps, number)
            raise


def hold_lock(context: JobContext, name: str, purpose: str) -> AbstractContextManager[Lease]:
    holder = LockHolder(context.request.run, context.request.requester, purpose, time.time())
    return acquire_lock(context.redis, name, holder, timeout=LOCK_TIMEOUT)


def _check_hold(context: JobContext) -> None:
    """Raises Paused or Cancelled when somebody said so, of this run or of the fleet's that it is part of."""
    for run in filter(None, (context.request.run, context.request.parent_run)):
        hold = context.events.current_hold(run)
        if hold and hold.action == "cancel":
            raise Cancelled(hold.user, hold.why)
        if hold and hold.action == "pause":
            raise Paused(hold.user, "" if run == context.request.run else run)


def _run_step(
    context: JobContext, step: steps.Step, target: StepTarget, lease: Lease, claim: Callable[[], None]
) -> None:
    key = steps.describe_step(step).key
    target.on_progress = _progress_reporter(context, key)
    context.events.emit(StepStarted(key))
    failpoint("step.reported")
    try:
        if lease.lost.is_set():
            raise JobError(f"lost the lock on {target.host.name}: another run may have it now", host=target.host.name)
        claim()
        result = _run_exclusively(context, step, target)
    except JobError as error:
        context.events.emit(StepFailed(key, error.summary))
        raise
    except Exception as unforeseen:
        internal_error = InternalError(target.host.name)
        context.events.emit(StepFailed(key, internal_error.summary))
        raise internal_error from unforeseen
    failpoint("step.done")
    context.events.emit(StepDone(key, result))


def _run_exclusively(context: JobContext, step: steps.Step, target: StepTarget) -> str:
    """While a host enters the swarm, no other does."""
    if not isinstance(step, steps.InitSwarm | steps.JoinSwarm):
        return execute_step(step, target)
    with hold_lock(context, "swarm", f"{steps.describe_step(step).title}, {target.host.name}") as lease:
        if isinstance(step, steps.JoinSwarm):
            claim_token(lease, lambda mark: membership.claim_swarm(target, mark))
            return execute_step(step, target)
        _check_no_swarm(context, target.host)
        done = execute_step(step, target)
        gather_swarm(context)  # it is known from now on
        return done


def _check_no_swarm(context: JobContext, host: Host) -> None:
    """Raises Drifted where a swarm came to be since the plan was made."""
    there = gather_swarm(context)
    if there.exists or there.problem:
        raise StateChanged("somebody started a swarm meanwhile; this host did not become a second one", host=host.name)


def _describe_remaining(error: JobError, host: Host, plan_steps: tuple[steps.Step, ...], failed_at: int) -> str:
    """In what state a host is when a step fails: what was done stays done, but for what was put back."""
    titles = [steps.describe_step(step).title for step in plan_steps]
    if isinstance(error, RolledBack | RollbackFailed):
        stays = [
            title
            for title, step in zip(titles, plan_steps[:failed_at], strict=False)
            if isinstance(step, NOT_ROLLED_BACK)
        ]
        return f"{error.state} Not taken back: {'; '.join(stays)}." if stays else error.state
    completed, rest = "; ".join(titles[:failed_at]) or "nothing", "; ".join(titles[failed_at:])
    return error.state or f"{host.name} is left with this done: {completed}. Not done: {rest}."


def _progress_reporter(context: JobContext, key: str) -> Callable[[str], None]:
    """Tells a step's latest word, when it is a new one."""
    notes: list[str] = []

    def note(text: str) -> None:
        if text and notes[-1:] != [text]:
            notes.append(text)
            context.events.emit(StepProgress(key, text))

    return note


def _make_target(context: JobContext, host: Host, shell: Shell, managers: tuple[str, ...]) -> StepTarget:
    return StepTarget(
        host=host,
        shell=shell,
        inventory=context.inventory,
        engine_factory=context.engine_factory,
        on_progress=lambda text: None,
        on_output=lambda title, text: context.events.emit(ThreadDetail(title, text)),
        on_file_change=lambda path, before, after: context.events.emit(_file_changed(host, path, before, after)),
        address_pool=str(context.settings.fleet.address_pool),
        managers=managers,
    )


def _file_changed(host: Host, path: str, before: str, after: str) -> FileChanged:
    """Digests: a file may hold what must not be kept elsewhere."""
    old, new = (
        hashlib.sha256(text.encode(errors=LOSSLESS_ERRORS)).hexdigest() if text else "" for text in (before, after)
    )
    return FileChanged(host.name, path, old, new)
