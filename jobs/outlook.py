"""What a host's plan would be: what is true of it and of the swarm, looked at now, and what would be done about it.

In: the office, a host. Out: an Outlook, and the events that tell it. Nothing is changed.
"""

import time
from dataclasses import dataclass, replace

from jobs import daemon_options, diffs, gather, known_swarm, machine_store, plan, steps, stores
from jobs.classic import Store
from jobs.contract import Accept, Began, Ended, Finding, Migrate, Planned, Role
from jobs.errors import JobError
from jobs.facts import HostFacts, SwarmFacts
from jobs.inventory import Host
from jobs.office import Office
from jobs.own_node import own_node
from jobs.preflight import checks, ports
from jobs.shell import Shell
from jobs.typed import typed


@dataclass(frozen=True)
class Outlook:
    """What is true now, and what would be done about it."""

    made: plan.Plan | plan.Refusal
    now: HostFacts
    swarm: SwarmFacts


def plan_of(office: Office, host: Host, role: Role | None, docker_group: bool = False) -> Outlook:
    """What no look gets past is told as the check that it is."""
    swarm = known_swarm.look(office)
    try:
        with office.shell(host) as shell:
            now = gather.host(shell, host, office.settings.engine, office.connect)
            probes = _probes(office, shell, now, swarm)
    except JobError as failed:
        if failed.check:
            office.journal.tell(Planned((), (Finding(failed.check, "block", failed.summary, failed.hint),)))
        raise
    wanted = role or plan.role_of(host, now, swarm)
    store = stores.find(office, host, now.containers, {host.name: now})
    made = planned(office, host, now, swarm, wanted, store=store, docker_group=docker_group, probes=probes)
    return Outlook(made, now, swarm)


def planned(
    office: Office,
    host: Host,
    now: HostFacts,
    swarm: SwarmFacts,
    role: Role,
    *,
    store: Store | None = None,
    docker_group: bool = False,
    probes: tuple[ports.PortProbe, ...] = (),
    moving: frozenset[str] = frozenset(),
) -> plan.Plan | plan.Refusal:
    """A host's plan, with all that is known besides the host and the swarm. `moving`: hosts that go before it."""
    settings = office.settings
    now = _strangers(now, office, moving)
    target = plan.target(now.package, settings.engine) if now.package else None
    pool = str(settings.fleet.address_pool)
    about = checks.findings(host, now, target or "", clock=time.time(), pool=pool)
    return plan.migration(
        host,
        now,
        swarm,
        role,
        settings.engine,
        store=_without(store, moving | {host.name}),
        residue=machine_store.residue(str(host.machine), host.machine.read_text()) if host.machine else None,
        docker_group=docker_group,
        checks=(*about, *ports.findings(probes)),
    )


def _probes(office: Office, shell: Shell, now: HostFacts, swarm: SwarmFacts) -> tuple[ports.PortProbe, ...]:
    """A host that is to join: whether it reaches a manager, and that manager it. One that is in has shown it."""
    if now.place.state == "active" or not swarm.managers or swarm.managers[0] == now.name:
        return ()
    manager, own = office.inventory[swarm.managers[0]], office.inventory[now.name]
    try:
        with office.shell(manager) as other, ports.Listening((shell,)) as listening:
            there = listening.called(shell, {manager.name: manager.advertise_address}, frozenset({manager.name}))
            return (*there, *listening.called(other, {own.name: own.advertise_address}))
    except JobError as lost:
        return (ports.PortProbe(own.name, manager.name, untried=lost.summary),)


def _strangers(now: HostFacts, office: Office, moving: frozenset[str]) -> HostFacts:
    """Who else is connected to a store, by name if it has one here; hosts that go before this one will not be then."""
    if now.conditions is None:
        return now
    names = {host.address: host.name for host in office.inventory.values()}
    peers = (names.get(peer, peer) for peer in now.conditions.store_peers)
    strangers = tuple(peer for peer in peers if peer not in moving)
    return replace(now, conditions=replace(now.conditions, store_peers=strangers))


def _without(store: Store | None, gone: frozenset[str]) -> Store | None:
    return replace(store, users=tuple(name for name in store.users if name not in gone)) if store else None


def plan_event(made: plan.Plan) -> Planned:
    lines = tuple(map(steps.describe, made.steps))
    return Planned(lines, made.findings, daemon_options.diff(made.edits), made.fingerprint)


def show_plan(office: Office, name: str, role: Role | None, docker_group: bool) -> None:
    host = office.host(name)
    office.journal.tell(Began(name))
    outlook = plan_of(office, host, role, docker_group)
    if isinstance(outlook.made, plan.Refusal):
        return office.refuse(outlook.made)
    tell_plan(office, name, outlook.made)
    if not outlook.made.steps:
        return office.journal.tell(Ended("nothing", f"nothing to do on {name}{_waits(host, outlook)}"))
    return office.journal.tell(Ended("done", _what_next(outlook.made, typed(Migrate(name, role, docker_group)))))


def tell_plan(office: Office, name: str, made: plan.Plan) -> None:
    """In the run's message; whole diffs in its thread."""
    office.journal.tell(plan_event(made))
    for detail in diffs.details(name, made.edits):
        office.journal.tell(detail)


def _waits(host: Host, outlook: Outlook) -> str:
    node = own_node(host, outlook.now.place, outlook.swarm.nodes)
    return f": it waits to be accepted as a manager, {typed(Accept(node.id[:12]))}" if node and node.pending else ""


def _what_next(made: plan.Plan, migrate: str) -> str:
    summary = f"{len(made.steps)} steps; nothing was changed."
    blocks = "; ".join(finding.text for finding in made.level("block"))
    if blocks:
        return f"{summary} {migrate} is refused until this is mended: {blocks}"
    return f"{summary} Do it: {migrate}" + (", and then it waits to be accepted as a manager" if made.waits else "")
