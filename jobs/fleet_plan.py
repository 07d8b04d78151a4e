"""Looks at every host of the inventory, and tells how all of them would be moved. Changes nothing."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from typing import TypeVar

from jobs import fleet, gather, known_swarm, outlook, stores
from jobs.classic import Store
from jobs.contract import (
    Began,
    Ended,
    FleetPlanned,
    Planned,
    Role,
    StepDone,
    StepFailed,
    StepLine,
    StepNote,
    StepStarted,
    Waiting,
)
from jobs.errors import Broke, JobError
from jobs.facts import HostFacts, Node, SwarmFacts
from jobs.inventory import Host
from jobs.office import Office
from jobs.own_node import copies, own_node
from jobs.plan import Plan, Refusal, fingerprint
from jobs.preflight import ports
from jobs.preflight.ports import PortProbe
from jobs.shell import Shell

AT_ONCE = 8  # hosts looked at
LOOK = StepLine("Look", "Look at every host")
PROBE = StepLine("Probe", "Try the swarm's ports between them")
Facts = Mapping[str, HostFacts | JobError]
Done = TypeVar("Done")


def show_fleet(office: Office, without: tuple[str, ...]) -> None:
    """Ends with the question whether to start; with a refusal when a host may not be touched; or with nothing to do."""
    office.journal.tell(Began())
    for name in without:
        office.host(name)
    hosts = [host for host in office.inventory.values() if host.name not in without]
    office.journal.tell(Planned((LOOK, PROBE)))
    swarm = known_swarm.look(office)
    facts = _step(office, LOOK, lambda: _looked(office, hosts))
    found = _stores(office, hosts, facts)
    wanted = fleet.roles(hosts, frozenset(found), fleet.managing(hosts, swarm), fleet.outside(hosts, swarm))
    probes = _step(office, PROBE, lambda: _probed(office, hosts, facts, wanted))
    planned = _arranged(office, hosts, swarm, facts, probes, wanted, found)
    office.journal.tell(planned)
    _conclude(office, planned)


def _step(office: Office, line: StepLine, work: Callable[[], Done]) -> Done:
    office.journal.tell(StepStarted(line.key))
    try:
        done = work()
    except Exception as failed:
        summary = failed.summary if isinstance(failed, JobError) else Broke("").summary
        office.journal.tell(StepFailed(line.key, summary))
        raise
    office.journal.tell(StepDone(line.key))
    return done


def _conclude(office: Office, planned: FleetPlanned) -> None:
    findings = [*planned.findings, *(found for leg in planned.legs for found in leg.findings)]
    blocked = [leg.host for leg in planned.legs if any(found.level == "block" for found in leg.findings)]
    if any(found.level == "block" for found in findings):
        summary = f"not to be touched as it is: {', '.join(blocked) or 'the fleet'}"
        hint = (
            f"Do what the findings say; or leave out: /swarm migrate all --without {','.join(blocked)}"
            if blocked
            else ""
        )
        return office.journal.tell(
            Ended("refused", summary, "Nothing was changed.", hint or "Do what the findings say.")
        )
    if not planned.legs:
        return office.journal.tell(Ended("nothing", f"nothing to do: all {len(planned.done)} hosts are in the swarm"))
    return office.journal.tell(Waiting("start", fingerprint(planned)))


# --- looking -------------------------------------------------------------------------------------------------------


def _looked(office: Office, hosts: Sequence[Host]) -> Facts:
    def look(host: Host) -> HostFacts | JobError:
        try:
            with office.shell(host) as shell:
                return gather.host(shell, host, office.settings.engine, office.connect)
        except JobError as failed:
            return failed
        finally:
            office.journal.tell(StepNote(LOOK.key, f"{host.name} looked at"))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(zip((host.name for host in hosts), pool.map(look, hosts), strict=True))


def _probed(office: Office, hosts: Sequence[Host], facts: Facts, wanted: Mapping[str, Role]) -> Sequence[PortProbe]:
    """Each host with each manager-to-be, and with its neighbour in the row: all pairs of a big fleet would take hours.

    A host in a swarm already has shown it.
    """
    outside = [host for host in hosts if _outside(facts[host.name])]
    managers = [host for host in outside if wanted[host.name] == "manager"]
    with ExitStack() as stack, ThreadPoolExecutor(AT_ONCE) as pool:
        entered = list(pool.map(lambda host: _entered(office, stack, host), outside))
        shells = [shell for shell in entered if not isinstance(shell, JobError)]
        lost = {shell.host: shell.summary for shell in entered if isinstance(shell, JobError)}
        listening = stack.enter_context(ports.Listening(shells, lost))
        targets = {host.name: _targets(number, outside, managers) for number, host in enumerate(outside)}
        called = pool.map(lambda shell: listening.called(shell, targets[shell.host]), shells)
        return [probe for probes in called for probe in probes]


def _entered(office: Office, stack: ExitStack, host: Host) -> Shell | JobError:
    try:
        return stack.enter_context(office.shell(host))
    except JobError as lost:
        return lost


def _outside(found: HostFacts | JobError) -> bool:
    return isinstance(found, HostFacts) and found.place.state != "active"


def _targets(number: int, hosts: Sequence[Host], managers: Sequence[Host]) -> dict[str, str]:
    own, neighbour = hosts[number], hosts[(number + 1) % len(hosts)]
    near = hosts if own in managers else (*managers, neighbour)
    return {host.name: host.advertise_address for host in near if host != own}


# --- planning ------------------------------------------------------------------------------------------------------


def _arranged(
    office: Office,
    hosts: Sequence[Host],
    swarm: SwarmFacts,
    facts: Facts,
    probes: Sequence[PortProbe],
    wanted: Mapping[str, Role],
    kept: Mapping[str, Store],
) -> FleetPlanned:
    ordered = fleet.order(hosts, wanted, frozenset(kept), _leader(hosts, facts, swarm))
    plans: dict[str, Plan | Refusal] = {}
    ahead = swarm
    for number, host in enumerate(ordered):
        mine = tuple(probe for probe in probes if probe.caller == host.name)
        moving = frozenset(other.name for other in ordered[:number])  # by then they need the store no more
        store = kept.get(host.name)
        plans[host.name] = _planned(office, host, facts[host.name], ahead, wanted[host.name], store, mine, moving)
        ahead = _founded(ahead, host, plans[host.name])
    made = fleet.arrange(ordered, wanted, plans, swarm, frozenset(kept), office.settings.fleet.parallel)
    return replace(made, findings=(*made.findings, *copies(_machine_ids(facts))))


def _machine_ids(facts: Facts) -> dict[str, str]:
    looked = {name: found.conditions for name, found in facts.items() if isinstance(found, HostFacts)}
    return {name: seen.machine for name, seen in looked.items() if seen}


def _planned(
    office: Office,
    host: Host,
    found: HostFacts | JobError,
    swarm: SwarmFacts,
    role: Role,
    store: Store | None,
    probes: tuple[PortProbe, ...],
    moving: frozenset[str],
) -> Plan | Refusal:
    if isinstance(found, JobError):
        return Refusal(found.summary, found.hint, found.check)
    return outlook.planned(office, host, found, swarm, role, store=store, probes=probes, moving=moving)


def _founded(swarm: SwarmFacts, host: Host, made: Plan | Refusal) -> SwarmFacts:
    """The swarm as it will be once the first manager has started it: those after it are planned to join."""
    if swarm.exists or swarm.problem or isinstance(made, Refusal):
        return swarm
    address = host.advertise_address
    first = Node("-", host.name, address, "manager", "active", "ready", "leader", made.target, False)
    return replace(swarm, asked=host.name, nodes=(first,), managers=(host.name,))


def _stores(office: Office, hosts: Sequence[Host], facts: Facts) -> dict[str, Store]:
    """Hosts that are left out may need one as well."""
    looked = {name: found for name, found in facts.items() if isinstance(found, HostFacts)}
    found = (
        (host.name, stores.find(office, host, looked[host.name].containers, looked))
        for host in hosts
        if host.name in looked
    )
    return {name: store for name, store in found if store}


def _leader(hosts: Sequence[Host], facts: Facts, swarm: SwarmFacts) -> str:
    leading = [node for node in swarm.nodes if node.manager == "leader"]
    looked = [(host, found) for host in hosts if isinstance(found := facts[host.name], HostFacts)]
    return next((host.name for host, found in looked if own_node(host, found.place, leading)), "")
