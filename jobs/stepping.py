"""Carries a plan out, step by step: each told at both ends, none without its lock, none after a hold.

What a step changes is claimed before: the host, or the swarm for who is in it; a later run's claim refuses ours.
"""

import hashlib
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from imker.fault import fault
from jobs import steps
from jobs.contract import Detail, FileChanged, StepDone, StepFailed, StepNote, StepStarted
from jobs.errors import Broke, Cancelled, Drifted, JobError, Paused
from jobs.execute import execute, membership
from jobs.execute.back import Down, Restored
from jobs.execute.site import NoShell, Site
from jobs.fence import Fenced, claimed
from jobs.inventory import Host
from jobs.known_swarm import look as gather_swarm
from jobs.lock import Holder, Lease, held
from jobs.office import Office
from jobs.shell import EXACT, Shell

STAYS = (steps.RetireContainers, steps.StopStore, steps.AddToGroup)  # also on a host that is put back to what it was
PATIENCE = 45  # seconds to wait for a lock: longer than the lease of a holder that died


def carry_out(
    office: Office, host: Host, plan_steps: tuple[steps.Step, ...], managers: tuple[str, ...], lease: Lease
) -> None:
    """On one host, which `lease` is of. A failing step is told, and raises, with the state the host is left in."""
    if not plan_steps:
        return
    with office.shell(host) as shell:
        own = Fenced(shell, claimed(lease, lambda mark: Fenced(shell, mark).claim()))
        _each(office, plan_steps, _site(office, host, own, managers), lease, own.claim)


def change_membership(
    office: Office, host: Host, plan_steps: tuple[steps.Step, ...], managers: tuple[str, ...], lease: Lease
) -> None:
    """As carry_out, over Engines alone; `lease` is of the swarm, and `host` whose node it is about."""
    site = _site(office, host, NoShell(host.name), managers)
    mark = claimed(lease, lambda mark: membership.claim(site, mark))
    _each(office, plan_steps, site, lease, lambda: membership.claim(site, mark))


def _each(
    office: Office, plan_steps: tuple[steps.Step, ...], site: Site, lease: Lease, claim: Callable[[], None]
) -> None:
    for number, step in enumerate(plan_steps):
        fault("step.next")
        try:
            _go_on(office)
            _do(office, step, site, lease, claim)
        except JobError as failed:
            failed.state = _left(failed, site.host, plan_steps, number)
            raise


def locked(office: Office, name: str, what: str) -> AbstractContextManager[Lease]:
    holder = Holder(office.request.run, office.request.asker, what, time.time())
    return held(office.redis, name, holder, wait=PATIENCE)


def _go_on(office: Office) -> None:
    """Raises Paused or Cancelled when somebody said so, of this run or of the fleet's that it is part of."""
    for run in filter(None, (office.request.run, office.request.part_of)):
        hold = office.journal.held(run)
        if hold and hold.what == "cancel":
            raise Cancelled(hold.by, hold.why)
        if hold and hold.what == "pause":
            raise Paused(hold.by, "" if run == office.request.run else run)


def _do(office: Office, step: steps.Step, site: Site, lease: Lease, claim: Callable[[], None]) -> None:
    key = steps.describe(step).key
    site.note = _noting(office, key)
    office.journal.tell(StepStarted(key))
    fault("step.told")
    try:
        if lease.lost.is_set():
            raise JobError(f"lost the lock on {site.host.name}: another run may have it now", host=site.host.name)
        claim()
        done = _alone(office, step, site)
    except JobError as failed:
        office.journal.tell(StepFailed(key, failed.summary))
        raise
    except Exception as unforeseen:
        broke = Broke(site.host.name)
        office.journal.tell(StepFailed(key, broke.summary))
        raise broke from unforeseen
    fault("step.done")
    office.journal.tell(StepDone(key, done))


def _alone(office: Office, step: steps.Step, site: Site) -> str:
    """While a host enters the swarm, no other does."""
    if not isinstance(step, steps.InitSwarm | steps.JoinSwarm):
        return execute(step, site)
    with locked(office, "swarm", f"{steps.describe(step).title}, {site.host.name}") as lease:
        if isinstance(step, steps.JoinSwarm):
            claimed(lease, lambda mark: membership.claim(site, mark))
            return execute(step, site)
        _check_none(office, site.host)
        done = execute(step, site)
        gather_swarm(office)  # it is known from now on
        return done


def _check_none(office: Office, host: Host) -> None:
    """Raises Drifted where a swarm came to be since the plan was made."""
    there = gather_swarm(office)
    if there.exists or there.problem:
        raise Drifted("somebody started a swarm meanwhile; this host did not become a second one", host=host.name)


def _left(failed: JobError, host: Host, plan_steps: tuple[steps.Step, ...], number: int) -> str:
    """In what state a host is when a step fails: what was done stays done, but for what was put back."""
    titles = [steps.describe(step).title for step in plan_steps]
    if isinstance(failed, Restored | Down):
        stays = [title for title, step in zip(titles, plan_steps[:number], strict=False) if isinstance(step, STAYS)]
        return f"{failed.state} Not taken back: {'; '.join(stays)}." if stays else failed.state
    done, rest = "; ".join(titles[:number]) or "nothing", "; ".join(titles[number:])
    return failed.state or f"{host.name} is left with this done: {done}. Not done: {rest}."


def _noting(office: Office, key: str) -> Callable[[str], None]:
    """Tells a step's latest word, when it is a new one."""
    said: list[str] = []

    def note(text: str) -> None:
        if text and said[-1:] != [text]:
            said.append(text)
            office.journal.tell(StepNote(key, text))

    return note


def _site(office: Office, host: Host, shell: Shell, managers: tuple[str, ...]) -> Site:
    return Site(
        host=host,
        shell=shell,
        inventory=office.inventory,
        connect=office.connect,
        note=lambda text: None,
        detail=lambda title, text: office.journal.tell(Detail(title, text)),
        changed=lambda path, before, after: office.journal.tell(_changed(host, path, before, after)),
        pool=str(office.settings.fleet.address_pool),
        managers=managers,
    )


def _changed(host: Host, path: str, before: str, after: str) -> FileChanged:
    """Digests: a file may hold what must not be kept elsewhere."""
    old, new = (hashlib.sha256(text.encode(errors=EXACT)).hexdigest() if text else "" for text in (before, after))
    return FileChanged(host.name, path, old, new)
