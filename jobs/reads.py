"""Commands that change nothing: the hosts, the nodes, a plan."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from pydantic import TypeAdapter

from jobs import daemon_options, diffs, gather, machine_store, plan, steps
from jobs.contract import Accept, Began, Ended, Finding, HostRow, HostTable, Migrate, NodeRow, NodeTable, Planned, Role
from jobs.engine import Engine
from jobs.errors import JobError
from jobs.facts import HostFacts, Node, SwarmFacts, place
from jobs.inventory import Host, classic_swarm
from jobs.office import Office
from jobs.preflight import checks, ports
from jobs.ssh import Shell
from jobs.typed import typed

LAST_NODES = "imker:nodes"  # the last node table, for when no manager answers
_TABLE: TypeAdapter[NodeTable] = TypeAdapter(NodeTable)


# --- hosts ---------------------------------------------------------------------------------------------------------


def hosts(office: Office) -> None:
    """A row for every host of the inventory, asked in parallel; one that does not answer is a row with its error."""
    office.journal.tell(Began())
    swarm = gather.swarm(office.inventory, office.connect)
    with ThreadPoolExecutor(max_workers=16) as pool:
        rows = tuple(pool.map(lambda host: _row(office, host, swarm), office.inventory.values()))
    office.journal.tell(HostTable(rows))
    away = sum(bool(row.error) for row in rows)
    office.journal.tell(Ended("done", f"{len(rows)} hosts" + (f", {away} without an answer" if away else "")))


def _row(office: Office, host: Host, swarm: SwarmFacts) -> HostRow:
    try:
        engine = office.connect(host)
        state, version, where, error = "Running", f"v{engine.version['Version']}", _place(engine, swarm), ""
    except JobError as failed:
        state, version, where, error = "Unknown", "Unknown", "", failed.summary
    url = f"tcp://{host.address}:{host.engine_port}"
    return HostRow(host.name, host.driver, state, url, classic_swarm(host, office.inventory), version, where, error)


def _place(engine: Engine, swarm: SwarmFacts) -> str:
    own = place(engine.info())
    node = next((node for node in swarm.nodes if node.id == own.node), None)
    if node is None:
        return "" if own.state == "inactive" else own.state
    return "pending" if node.pending else {"leader": "leader", "": "worker"}.get(node.manager, "manager")


# --- nodes ---------------------------------------------------------------------------------------------------------


def nodes(office: Office) -> None:
    """The managers in turn until one answers; else the last table with its age and the reason."""
    office.journal.tell(Began())
    last = _last(office)
    table = _asked_first(office, last) or _asked_all(office, last)
    if table is None:
        return
    office.journal.tell(table)
    if not table.stale:
        office.redis.set(LAST_NODES, _TABLE.dump_json(table))
    office.journal.tell(Ended("done", f"{len(table.rows)} nodes"))


def _last(office: Office) -> NodeTable | None:
    kept = office.redis.get(LAST_NODES)
    try:
        return _TABLE.validate_json(kept) if isinstance(kept, bytes | str) else None
    except ValueError:
        return None


def _asked_first(office: Office, last: NodeTable | None) -> NodeTable | None:
    """Who answered last time is asked first, and alone: most often that is all it takes."""
    if last is None or last.asked not in office.inventory:
        return None
    try:
        engine = office.connect(office.inventory[last.asked])
        return _table(last.asked, place(engine.info()).node, gather.node_list(engine))
    except JobError:
        return None


def _asked_all(office: Office, last: NodeTable | None) -> NodeTable | None:
    swarm = gather.swarm(office.inventory, office.connect)
    if swarm.asked:
        own = place(office.connect(office.inventory[swarm.asked]).info()).node
        return _table(swarm.asked, own, swarm.nodes)
    reason = swarm.problem or (f"no answer from {', '.join(swarm.silent)}" if swarm.silent else "")
    if last is not None and reason:
        return NodeTable(last.asked, last.taken_at, last.rows, stale=reason)
    summary = reason or "there is no swarm yet"
    hint = "Start one with its first manager: /swarm migrate HOST --manager" if not reason else "See /swarm hosts."
    office.journal.tell(Ended("refused" if not reason else "failed", summary, hint=hint))
    return None


def _table(asked: str, own: str, found: tuple[Node, ...]) -> NodeTable:
    return NodeTable(asked, time.time(), tuple(_node_row(node, own) for node in found))


def _node_row(node: Node, own: str) -> NodeRow:
    return NodeRow(
        id=node.id,
        asked=node.id == own,
        hostname=node.hostname,
        membership="Pending" if node.pending else "Accepted",
        status=node.state.capitalize(),
        availability=node.availability.capitalize(),
        manager_status=node.manager.capitalize(),
        engine=node.engine,
    )


# --- plan ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outlook:
    """What is true now, and what would be done about it."""

    made: plan.Plan | plan.Refusal
    now: HostFacts
    swarm: SwarmFacts


def plan_of(office: Office, host: Host, role: Role | None, docker_group: bool = False) -> Outlook:
    """What no look gets past is told as the check that it is."""
    swarm = gather.swarm(office.inventory, office.connect)
    try:
        with office.shell(host) as shell:
            now = gather.host(shell, host, office.settings.engine, office.connect)
            probes = _probes(office, shell, now, swarm)
    except JobError as failed:
        if failed.check:
            office.journal.tell(Planned((), (Finding(failed.check, "block", failed.summary, failed.hint),)))
        raise
    wanted = role or plan.role_of(host, now, swarm)
    made = planned(office, host, now, swarm, wanted, docker_group=docker_group, probes=probes)
    return Outlook(made, now, swarm)


def planned(
    office: Office,
    host: Host,
    now: HostFacts,
    swarm: SwarmFacts,
    role: Role,
    *,
    docker_group: bool = False,
    probes: tuple[ports.PortProbe, ...] = (),
    moving: frozenset[str] = frozenset(),
) -> plan.Plan | plan.Refusal:
    """A host's plan, with all that is known besides the host and the swarm. `moving`: hosts that go before it."""
    settings = office.settings
    now = _known_peers_left_out(now, office)
    target = plan.target(now.package, settings.engine) if now.package else None
    pool = str(settings.fleet.address_pool)
    about = checks.findings(host, now, target or "", clock=time.time(), pool=pool)
    return plan.migration(
        host,
        now,
        swarm,
        role,
        settings.engine,
        store_users=_users_left(office, host, now, moving),
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
            there = listening.called(shell, {manager.name: manager.address}, frozenset({manager.name}))
            return (*there, *listening.called(other, {own.name: own.address}))
    except JobError as lost:
        return (ports.PortProbe(own.name, manager.name, untried=lost.summary),)


def _known_peers_left_out(now: HostFacts, office: Office) -> HostFacts:
    """Who else is connected to a store: the inventory's own hosts are counted otherwise."""
    if now.conditions is None:
        return now
    own = {host.address for host in office.inventory.values()}
    strangers = tuple(peer for peer in now.conditions.store_peers if peer not in own)
    return replace(now, conditions=replace(now.conditions, store_peers=strangers))


def _users_left(office: Office, host: Host, now: HostFacts, moving: frozenset[str]) -> tuple[str, ...]:
    if not any(container.is_store for container in now.containers):
        return ()
    return tuple(name for name in store_users(office, host) if name not in moving)


def store_users(office: Office, store: Host) -> tuple[str, ...]:
    """Hosts that docker-machine puts into a classic swarm with a store on this host, and that are not in swarm mode."""
    members = [host for host in office.inventory.values() if store.address in host.discovery and host != store]
    with ThreadPoolExecutor(max_workers=16) as pool:
        moved = pool.map(lambda host: _moved(office, host), members)
    return tuple(host.name for host, gone in zip(members, moved, strict=True) if not gone)


def _moved(office: Office, host: Host) -> bool:
    try:
        return place(office.connect(host).info()).state == "active"
    except JobError:
        return False


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
        return office.journal.tell(Ended("nothing", f"nothing to do on {name}{_waits(outlook)}"))
    return office.journal.tell(Ended("done", _what_next(outlook.made, typed(Migrate(name, role, docker_group)))))


def tell_plan(office: Office, name: str, made: plan.Plan) -> None:
    """In the run's message; whole diffs in its thread."""
    office.journal.tell(plan_event(made))
    for detail in diffs.details(name, made.edits):
        office.journal.tell(detail)


def _waits(outlook: Outlook) -> str:
    node = plan.own_node(outlook.now, outlook.swarm)
    return f": it waits to be accepted as a manager, {typed(Accept(node.id[:12]))}" if node and node.pending else ""


def _what_next(made: plan.Plan, migrate: str) -> str:
    summary = f"{len(made.steps)} steps; nothing was changed."
    blocks = "; ".join(finding.text for finding in made.level("block"))
    if blocks:
        return f"{summary} {migrate} is refused until this is mended: {blocks}"
    return f"{summary} Do it: {migrate}" + (", and then it waits to be accepted as a manager" if made.waits else "")
