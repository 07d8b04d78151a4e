"""Carries a plan out on one host, step by step: each told at both ends, none without its lock, none after a hold."""

import hashlib
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from imker.fault import fault
from jobs import steps
from jobs.contract import HOLD, Detail, FileChanged, StepDone, StepFailed, StepNote, StepStarted, hold_key
from jobs.errors import Cancelled, Drifted, JobError, Paused
from jobs.execute import execute
from jobs.execute.site import Site
from jobs.gather import swarm as gather_swarm
from jobs.inventory import Host
from jobs.lock import Holder, Lease, held
from jobs.office import Office
from jobs.ssh import Shell

PATIENCE = 45  # seconds to wait for a lock: longer than the lease of a holder that died


def carry_out(
    office: Office, host: Host, plan_steps: tuple[steps.Step, ...], managers: tuple[str, ...], lease: Lease
) -> None:
    """A failing step is told, and raises, with the state the host is left in."""
    if not plan_steps:
        return
    with office.shell(host) as shell:
        site = _site(office, host, shell, managers)
        for number, step in enumerate(plan_steps):
            fault("step.next")
            try:
                _go_on(office)
                _do(office, step, site, lease)
            except JobError as failed:
                failed.state = failed.state or _left(host, plan_steps, number)
                failed.hint = _hint(office, failed)
                raise


def _hint(office: Office, failed: JobError) -> str:
    if "/swarm" in failed.hint:
        return failed.hint
    return f"{failed.hint} /swarm retry {office.request.run} goes on from what is true then.".lstrip()


def locked(office: Office, name: str, what: str) -> AbstractContextManager[Lease]:
    holder = Holder(office.request.run, office.request.asker, what, time.time())
    return held(office.redis, name, holder, wait=PATIENCE)


def _go_on(office: Office) -> None:
    """Raises Paused or Cancelled when somebody said so, of this run or of the fleet's that it is part of."""
    for run in filter(None, (office.request.run, office.request.part_of)):
        words: Any = office.redis.zrevrange(hold_key(run), 0, 0)
        hold = HOLD.validate_json(words[0]) if words else None
        if hold and hold.what == "cancel":
            raise Cancelled(f"cancelled by <@{hold.by}>")
        if hold and hold.what == "pause":
            raise Paused(f"paused by <@{hold.by}>")


def _do(office: Office, step: steps.Step, site: Site, lease: Lease) -> None:
    key = steps.describe(step).key
    site.note = _noting(office, key)
    office.journal.tell(StepStarted(key))
    fault("step.told")
    try:
        done = _alone(office, step, site, lease)
    except JobError as failed:
        office.journal.tell(StepFailed(key, failed.summary))
        raise
    fault("step.done")
    office.journal.tell(StepDone(key, done))


def _alone(office: Office, step: steps.Step, site: Site, lease: Lease) -> str:
    """No step without the lock; and while a host enters the swarm, no other does."""
    if lease.lost.is_set():
        raise JobError(f"lost the lock on {site.host.name}: another run may have it now", host=site.host.name)
    if not isinstance(step, steps.InitSwarm | steps.JoinSwarm):
        return execute(step, site)
    with locked(office, "swarm", f"{steps.describe(step).title}, {site.host.name}"):
        if isinstance(step, steps.InitSwarm) and gather_swarm(office.inventory, office.connect).exists:
            raise Drifted(
                "somebody started a swarm meanwhile; this host did not become a second one", host=site.host.name
            )
        return execute(step, site)


def _left(host: Host, plan_steps: tuple[steps.Step, ...], failed: int) -> str:
    """In what state a host is when a step fails: what was done stays done."""
    titles = [steps.describe(step).title for step in plan_steps]
    done, rest = "; ".join(titles[:failed]) or "nothing", "; ".join(titles[failed:])
    return f"{host.name} is left with this done: {done}. Not done: {rest}."


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
    old, new = (hashlib.sha256(text.encode()).hexdigest() if text else "" for text in (before, after))
    return FileChanged(host.name, path, old, new)
