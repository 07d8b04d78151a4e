"""Assess one host: gather its facts and the swarm's, and plan from them. Changes nothing."""

import time
from dataclasses import dataclass, replace

from imker.protocol.commands import Role
from imker.protocol.events import Planned
from imker.protocol.values import Finding
from jobs import plan
from jobs.checks.host import check_host
from jobs.checks.ports import check_ports
from jobs.connectors.shell import Shell
from jobs.context import JobContext
from jobs.errors import JobError
from jobs.facts.classic_swarm import KeyValueStore
from jobs.facts.host import HostFacts
from jobs.facts.ports import PortProbe
from jobs.facts.swarm import SwarmFacts
from jobs.gather import key_value_stores, known_swarm
from jobs.gather.host import gather_host
from jobs.gather.ports import PortListeners
from jobs.inventory import docker_machine
from jobs.inventory.model import Host


@dataclass(frozen=True)
class Assessment:
    """What is true now, and what would be done about it."""

    plan: plan.Plan | plan.Refusal
    facts: HostFacts
    swarm: SwarmFacts


def assess_host(context: JobContext, host: Host, role: Role | None, docker_group: bool = False) -> Assessment:
    """What no look gets past is told as the check that it is."""
    swarm = known_swarm.gather_known_swarm(context)
    try:
        with context.open_shell(host) as shell:
            now = gather_host(shell, host, context.settings.engine, context.engine_factory)
            probes = _probe_ports(context, shell, now, swarm)
    except JobError as error:
        if error.check:
            context.events.emit(Planned((), (Finding(error.check, "block", error.summary, error.hint),)))
        raise
    target_role = role or plan.effective_role(host, now, swarm)
    store = key_value_stores.find_store(context, host, now.containers, {host.name: now})
    plan_or_refusal = build_plan(
        context, host, now, swarm, target_role, store=store, docker_group=docker_group, probes=probes
    )
    return Assessment(plan_or_refusal, now, swarm)


def build_plan(
    context: JobContext,
    host: Host,
    facts: HostFacts,
    swarm: SwarmFacts,
    role: Role,
    *,
    store: KeyValueStore | None = None,
    docker_group: bool = False,
    probes: tuple[PortProbe, ...] = (),
    migrating_before: frozenset[str] = frozenset(),
) -> plan.Plan | plan.Refusal:
    """A host's plan, with all that is known besides the host and the swarm. `moving`: hosts that go before it."""
    settings = context.settings
    facts = _external_store_clients(facts, context, migrating_before)
    target = plan.choose_version(facts.package, settings.engine) if facts.package else None
    pool = str(settings.fleet.address_pool)
    about = check_host(host, facts, target or "", current_time=time.time(), pool=pool)
    return plan.plan_migration(
        host,
        facts,
        swarm,
        role,
        settings.engine,
        store=_drop_users(store, migrating_before | {host.name}),
        machine_cleanup=docker_machine.cleanup_edit(str(host.machine_config), host.machine_config.read_text())
        if host.machine_config
        else None,
        docker_group=docker_group,
        checks=(*about, *check_ports(probes)),
    )


def _probe_ports(context: JobContext, shell: Shell, facts: HostFacts, swarm: SwarmFacts) -> tuple[PortProbe, ...]:
    """A host that is to join: whether it reaches a manager, and that manager it. One that is in has shown it."""
    if facts.membership.state == "active" or not swarm.managers or swarm.managers[0] == facts.name:
        return ()
    manager, own_host = context.inventory[swarm.managers[0]], context.inventory[facts.name]
    try:
        with context.open_shell(manager) as other, PortListeners((shell,)) as listening:
            there = listening.probe(shell, {manager.name: manager.advertise_address}, frozenset({manager.name}))
            return (*there, *listening.probe(other, {own_host.name: own_host.advertise_address}))
    except JobError as error:
        return (PortProbe(own_host.name, manager.name, error=error.summary),)


def _external_store_clients(facts: HostFacts, context: JobContext, migrating_before: frozenset[str]) -> HostFacts:
    """Who else is connected to a store, by name if it has one here; hosts that go before this one will not be then."""
    if facts.environment is None:
        return facts
    names = {host.address: host.name for host in context.inventory.values()}
    peers = (names.get(peer, peer) for peer in facts.environment.store_peers)
    strangers = tuple(peer for peer in peers if peer not in migrating_before)
    return replace(facts, environment=replace(facts.environment, store_peers=strangers))


def _drop_users(store: KeyValueStore | None, excluded: frozenset[str]) -> KeyValueStore | None:
    return replace(store, users=tuple(name for name in store.users if name not in excluded)) if store else None
