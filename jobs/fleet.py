"""A whole fleet's migration, arranged: who becomes what, in which order, and what the swarm survives after each. Pure.

The first host is a canary. Managers follow one at a time, then the workers, several at once; the host of the
key-value store comes last, when nobody needs the store any more, unless the swarm cannot begin without it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate

from jobs import quorum
from jobs.contract import Finding, FleetPlanned, Leg, Role
from jobs.facts import Node, SwarmFacts, upstream
from jobs.inventory import Host
from jobs.plan import Plan, Refusal
from jobs.steps import DrainNode

MANAGERS = 3  # proposed when the inventory names none: one may fail


def managing(hosts: Iterable[Host], swarm: SwarmFacts) -> frozenset[str]:
    """Those of the hosts that are managers, or wait to be."""
    at = {node.address for node in _managers_of(swarm)}
    return frozenset(host.name for host in hosts if host.name in swarm.managers or host.advertise_address in at)


def outside(hosts: Iterable[Host], swarm: SwarmFacts) -> int:
    """How many managers the swarm has, or is to have, besides these hosts: such as are left out this time."""
    return max(0, len(_managers_of(swarm)) - len(managing(hosts, swarm)))


def roles(hosts: Sequence[Host], stores: frozenset[str], managing: frozenset[str], outside: int = 0) -> dict[str, Role]:
    """As the inventory says; if it names no manager, an odd number of them, each on a server of its own.

    `stores`: hosts with the key-value store; `managing`, `outside`: as the functions of that name tell; who is a
    manager stays one.
    """
    named = {host.name for host in hosts if host.role == "manager"} or _proposed(hosts, stores, managing, outside)
    return {host.name: "manager" if host.name in named | managing else "worker" for host in hosts}


def order(
    hosts: Sequence[Host], wanted: Mapping[str, Role], stores: frozenset[str], leader: str = ""
) -> tuple[Host, ...]:
    """A first manager that was in no classic swarm has the least to lose. Without one, no worker could join.

    Where there is a swarm already, its leader comes last among the managers: each that restarts costs an election else.
    """

    def place(host: Host) -> tuple[bool, bool, bool, str]:
        return wanted[host.name] == "worker", host.name == leader, bool(host.discovery), host.name

    first = min(hosts, key=lambda host: (wanted[host.name] == "worker", host.name in stores, place(host)), default=None)
    return tuple(sorted(hosts, key=lambda host: (host != first, host.name in stores, place(host))))


def arrange(
    ordered: Sequence[Host],
    wanted: Mapping[str, Role],
    plans: Mapping[str, Plan | Refusal],
    swarm: SwarmFacts,
    stores: frozenset[str],
    parallel: int,
) -> FleetPlanned:
    """`ordered` as `order` gives it; `parallel`: workers at once."""
    todo = [host for host in ordered if not _nothing(plans[host.name])]
    managers = accumulate(
        (_joins_as_manager(wanted[host.name], plans[host.name], swarm) for host in todo),
        initial=sum(node.role == "manager" for node in swarm.nodes),
    )
    legs = [
        _leg(host, wanted[host.name], plans[host.name], wave, number)
        for host, wave, number in zip(
            todo, _waves(todo, wanted, stores | _draining(plans)), list(managers)[1:], strict=True
        )
    ]
    done = tuple(host.name for host in ordered if host not in todo)
    findings = (*_managers(ordered, wanted, outside(ordered, swarm)), *_versions(plans))
    return FleetPlanned(tuple(legs), done, findings, parallel)


def _managers_of(swarm: SwarmFacts) -> tuple[Node, ...]:
    return tuple(node for node in swarm.nodes if node.role == "manager" or node.pending)


def _proposed(hosts: Sequence[Host], stores: frozenset[str], managing: frozenset[str], outside: int) -> set[str]:
    """The first host of each server, as many as make an odd number with those outside."""

    def place(host: Host) -> tuple[bool, bool, bool, str]:
        return host.name not in managing, host.name in stores, bool(host.discovery), host.name

    first: dict[str, str] = {}
    for host in sorted(hosts, key=place):
        first.setdefault(host.server or host.name, host.name)
    number = min(MANAGERS, len(first) + outside)
    return set(list(first.values())[: max(0, number - (number % 2 == 0) - outside)])


def _nothing(made: Plan | Refusal) -> bool:
    return isinstance(made, Plan) and not made.steps and not made.waits


def _joins_as_manager(role: Role, made: Plan | Refusal, swarm: SwarmFacts) -> int:
    founds = isinstance(made, Plan) and not made.waits and not swarm.exists
    return int(role == "manager" and isinstance(made, Plan) and (made.waits or founds))


def _draining(plans: Mapping[str, Plan | Refusal]) -> frozenset[str]:
    """Nodes of a swarm are upgraded one by one: somebody has to do their work meanwhile."""
    made = ((name, made) for name, made in plans.items() if isinstance(made, Plan))
    return frozenset(name for name, plan in made if any(isinstance(step, DrainNode) for step in plan.steps))


def _waves(hosts: Iterable[Host], wanted: Mapping[str, Role], alone: frozenset[str]) -> list[int]:
    """Legs of one wave may go on together: only workers do, never those that are to be `alone`, nor the canary."""
    waves: list[int] = []
    together = False
    for host in hosts:
        apart = wanted[host.name] == "manager" or host.name in alone or not waves
        waves.append((waves[-1] if waves else -1) + int(apart or not together))
        together = not apart
    return waves


def _leg(host: Host, role: Role, made: Plan | Refusal, wave: int, managers: int) -> Leg:
    if isinstance(made, Refusal):
        return Leg(host.name, role, 0, wave, "", findings=(made.finding,))
    weighty = tuple(finding for finding in made.findings if finding.level != "pass")
    return Leg(host.name, role, len(made.steps), wave, quorum.survives(managers), made.warned, weighty)


def _managers(hosts: Sequence[Host], wanted: Mapping[str, Role], outside: int) -> tuple[Finding, ...]:
    managers = [host for host in hosts if wanted[host.name] == "manager"]
    shared = [server for server, number in Counter(host.server for host in managers).items() if server and number > 1]
    found = []
    number = len(managers) + outside
    if number % 2 == 0:
        text = f"{number} managers: an even number survives no more than {max(number - 1, 0)}"
        found.append(Finding("managers", "warn", text, 'Give one host more, or one less, role = "manager".'))
    if shared:
        text = f"more than one manager on {', '.join(shared)}: they fail together"
        found.append(Finding("managers", "warn", text, "Spread them: one manager a physical server."))
    return tuple(found)


def _versions(plans: Mapping[str, Plan | Refusal]) -> tuple[Finding, ...]:
    """One version before the first host is touched: mixed ones have broken swarms."""
    targets = Counter(upstream(made.target) for made in plans.values() if isinstance(made, Plan))
    if len(targets) < 2:
        return ()
    text = "apt would bring different Engines: " + ", ".join(f"{name} on {n}" for name, n in sorted(targets.items()))
    return (Finding("engine versions", "block", text, "Name one that all offer: [engine] version."),)
