"""Assess one host: gather its facts and the swarm's facts, and plan from them. Changes nothing."""

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
from jobs.gather.own_machine import read_own_machine
from jobs.gather.ports import PortListeners
from jobs.gather.swarm import EngineQueries
from jobs.inventory import docker_machine
from jobs.inventory.model import Host


@dataclass(frozen=True)
class Assessment:
    """The current state of a host and the swarm, and the plan made from it."""

    plan: plan.Plan | plan.Refusal
    facts: HostFacts
    swarm: SwarmFacts


def assess_host(context: JobContext, host: Host, role: Role | None, docker_group: bool = False) -> Assessment:
    """Gather the facts and plan. `role` None: the host's current or configured role.

    If the host cannot be inspected, emit the failed check as a blocking finding and raise the JobError.
    """
    try:
        queries = EngineQueries(context.inventory, context.engine_factory)
        with context.open_shell(host) as shell:
            facts = gather_host(shell, host, context.settings.engine, queries.answer(host.name))
            swarm = known_swarm.gather_settled_swarm(context, queries.answers())
            probes = _probe_ports(context, shell, facts, swarm)
    except JobError as error:
        if error.check:
            finding = Finding(error.check, "block", error.summary, error.hint, error.next_commands)
            context.events.emit(Planned((), (finding,)))
        raise
    target_role = role or plan.effective_role(host, facts, swarm)
    store = key_value_stores.find_stores(context, {host.name: facts}, swarm.memberships).get(host.name)
    plan_or_refusal = build_plan(
        context, host, facts, swarm, target_role, store=store, docker_group=docker_group, probes=probes
    )
    return Assessment(plan_or_refusal, facts, swarm)


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
    """Plan a host with its checks and its docker-machine file. `migrating_before`: hosts that migrate before it."""
    settings = context.settings
    facts = _external_store_clients(facts, context, migrating_before)
    target = plan.choose_version(facts.package, settings.engine) if facts.package else None
    pool = str(settings.fleet.address_pool)
    host_checks = check_host(host, facts, target or "", current_time=time.time(), pool=pool, worker=read_own_machine())
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
        checks=(*host_checks, *check_ports(probes)),
    )


def _probe_ports(context: JobContext, shell: Shell, facts: HostFacts, swarm: SwarmFacts) -> tuple[PortProbe, ...]:
    """Probe the ports between a host and a manager, in both directions. A host that is in a swarm needs no probe."""
    if facts.membership.state == "active" or not swarm.managers or swarm.managers[0] == facts.name:
        return ()
    manager, own_host = context.inventory[swarm.managers[0]], context.inventory[facts.name]
    try:
        with context.open_shell(manager) as manager_shell, PortListeners((shell,)) as listeners:
            to_manager = listeners.probe(shell, {manager.name: manager.advertise_address}, frozenset({manager.name}))
            return (*to_manager, *listeners.probe(manager_shell, {own_host.name: own_host.advertise_address}))
    except JobError as error:
        return (PortProbe(own_host.name, manager.name, error=error.summary),)


def _external_store_clients(facts: HostFacts, context: JobContext, migrating_before: frozenset[str]) -> HostFacts:
    """Name the clients of the host's store that are in the inventory, and drop those that migrate before this host."""
    if facts.environment is None:
        return facts
    names = {host.address: host.name for host in context.inventory.values()}
    peers = (names.get(peer, peer) for peer in facts.environment.store_peers)
    remaining = tuple(peer for peer in peers if peer not in migrating_before)
    return replace(facts, environment=replace(facts.environment, store_peers=remaining))


def _drop_users(store: KeyValueStore | None, excluded: frozenset[str]) -> KeyValueStore | None:
    return replace(store, users=tuple(name for name in store.users if name not in excluded)) if store else None
