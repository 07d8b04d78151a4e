"""Commands that change hosts or the swarm: plan from what is true now, ask if there is something to ask, then do."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from jobs import daemon_options, plan, quorum, reads, steps
from jobs.contract import Began, Ended, Outcome, Role, StepDone, StepFailed, StepNote, StepStarted, Waiting
from jobs.contract import Detail as DetailEvent
from jobs.errors import Drifted, JobError
from jobs.execute import execute
from jobs.execute.site import Site
from jobs.facts import Node, SwarmFacts, place
from jobs.gather import swarm as gather_swarm
from jobs.inventory import Host
from jobs.lock import Holder, Lease, held
from jobs.office import Office
from jobs.plan import Plan, Refusal
from jobs.ssh import Shell

PATIENCE = 45  # seconds to wait for a lock: longer than the lease of a holder that died


def migrate(office: Office, name: str, role: Role | None, docker_group: bool) -> None:
    host = office.host(name)
    office.journal.tell(Began(name))
    with _locked(office, f"host:{name}", f"migrate {name}") as lease:
        outlook = reads.plan_of(office, host, role, docker_group)
        made, swarm = outlook.made, outlook.swarm
        if isinstance(made, Refusal):
            return office.refuse(made)
        office.journal.tell(reads.plan_event(made))
        if made.edits:
            office.journal.tell(DetailEvent(f"{name}: what changes", daemon_options.diff(made.edits)))
        if _blocked(office, made) or _asks(office, made):
            return None
        _carry_out(office, host, made, swarm, lease)
        return _conclude(office, host, made)


def accept(office: Office, prefix: str) -> None:
    office.journal.tell(Began())
    with _locked(office, "swarm", f"accept {prefix}") as lease:
        swarm = gather_swarm(office.inventory, office.connect)
        made = plan.acceptance(swarm, prefix)
        if isinstance(made, Refusal):
            return office.refuse(made)
        node = _pending(swarm, prefix)
        _still_as_shown(office, swarm, node)
        office.journal.tell(reads.plan_event(made))
        _carry_out(office, _host_of(office, node), made, swarm, lease)
        after = gather_swarm(office.inventory, office.connect)
        managers = sum(seen.role == "manager" for seen in after.nodes)
        return _end(office, "done", f"{node.hostname} is a manager now. {quorum.survives(managers)}.")


def reject(office: Office, prefix: str, remove: bool) -> None:
    office.journal.tell(Began())
    with _locked(office, "swarm", f"reject {prefix}") as lease:
        swarm = gather_swarm(office.inventory, office.connect)
        made = plan.rejection(swarm, prefix, remove)
        if isinstance(made, Refusal):
            return office.refuse(made)
        node = _pending(swarm, prefix)
        office.journal.tell(reads.plan_event(made))
        _carry_out(office, _host_of(office, node), made, swarm, lease)
        left = "is out of the swarm" if remove else "stays in the swarm as a worker"
        return _end(office, "done", f"{node.hostname} {left}.")


# --- asking --------------------------------------------------------------------------------------------------------


def _blocked(office: Office, made: Plan) -> bool:
    blocks = made.level("block")
    if blocks:
        summary = "; ".join(finding.text for finding in blocks)
        office.journal.tell(Ended("refused", summary, "Nothing was changed.", blocks[0].hint))
    return bool(blocks)


def _asks(office: Office, made: Plan) -> bool:
    """Warnings are a person's to weigh; a yes holds for exactly the plan that was shown."""
    approval = office.request.approval
    if approval and approval.fingerprint != made.fingerprint:
        raise Drifted("the plan is no longer the one that was approved; nothing was changed")
    if approval or not made.level("warn"):
        return False
    office.journal.tell(Waiting("continue", made.fingerprint))
    return True


def _still_as_shown(office: Office, swarm: SwarmFacts, node: Node) -> None:
    """An acceptance is of this node at this address, claiming this, with so many managers before and after."""
    approval = office.request.approval
    if approval and approval.fingerprint != _shown(office, swarm, node).fingerprint:
        raise Drifted(f"{node.hostname} or the swarm is no longer as shown; it still waits, nothing was changed")


def _shown(office: Office, swarm: SwarmFacts, node: Node) -> Waiting:
    candidate = plan.candidate(_host_of(office, node), node)
    numbers = plan.quorum_after_one_more(swarm)
    return Waiting("accept", plan.fingerprint(candidate, numbers), candidate, numbers)


# --- doing ---------------------------------------------------------------------------------------------------------


def _carry_out(office: Office, host: Host, made: Plan, swarm: SwarmFacts, lease: Lease) -> None:
    """Step by step, each told at both ends. A failing step is told, and raises, with the state the host is left in."""
    if not made.steps:
        return
    with office.shell(host) as shell:
        site = _site(office, host, shell, swarm)
        for number, step in enumerate(made.steps):
            try:
                _do(office, step, site, lease)
            except JobError as failed:
                failed.state = failed.state or _left(host, made.steps, number)
                failed.hint = failed.hint or f"/swarm migrate {host.name} goes on from what is true then."
                raise


def _do(office: Office, step: steps.Step, site: Site, lease: Lease) -> None:
    key = steps.describe(step).key
    site.note = _noting(office, key)
    office.journal.tell(StepStarted(key))
    try:
        done = _alone(office, step, site, lease)
    except JobError as failed:
        office.journal.tell(StepFailed(key, failed.summary))
        raise
    office.journal.tell(StepDone(key, done))


def _alone(office: Office, step: steps.Step, site: Site, lease: Lease) -> str:
    """No step without the lock; and while a host enters the swarm, no other does."""
    if lease.lost.is_set():
        raise JobError(f"lost the lock on {site.host.name}: another run may have it now", host=site.host.name)
    if not isinstance(step, steps.InitSwarm | steps.JoinSwarm):
        return execute(step, site)
    with _locked(office, "swarm", f"{steps.describe(step).title}, {site.host.name}"):
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


def _site(office: Office, host: Host, shell: Shell, swarm: SwarmFacts) -> Site:
    return Site(
        host=host,
        shell=shell,
        inventory=office.inventory,
        connect=office.connect,
        note=lambda text: None,
        detail=lambda title, text: office.journal.tell(DetailEvent(title, text)),
        pool=str(office.settings.fleet.address_pool),
        managers=swarm.managers,
    )


def _conclude(office: Office, host: Host, made: Plan) -> None:
    """A manager-to-be waits for a person; all else is over."""
    if made.waits:
        swarm = gather_swarm(office.inventory, office.connect)
        own = place(office.connect(host).info()).node
        node = next(seen for seen in swarm.nodes if seen.id == own)
        return office.journal.tell(_shown(office, swarm, node))
    if not made.steps:
        return _end(office, "nothing", f"nothing to do: {host.name} is in the swarm, on the wanted Engine")
    return _end(office, "done", f"{host.name} is in the swarm.")


def _end(office: Office, outcome: Outcome, summary: str) -> None:
    office.journal.tell(Ended(outcome, summary))


def _pending(swarm: SwarmFacts, prefix: str) -> Node:
    node = plan.pending_node(swarm, prefix)
    assert not isinstance(node, Refusal)
    return node


def _host_of(office: Office, node: Node) -> Host:
    """The inventory's host behind a node: by the address a manager observed, never by the name the node claims."""
    for host in office.inventory.values():
        if host.address == node.address:
            return host
    raise JobError(f"no host of the inventory has {node.address}, where node {node.id[:12]} is seen")


def _locked(office: Office, name: str, what: str) -> AbstractContextManager[Lease]:
    holder = Holder(office.request.run, office.request.asker, what, time.time())
    return held(office.redis, name, holder, wait=PATIENCE)
