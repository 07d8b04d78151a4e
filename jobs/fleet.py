"""A whole fleet's migration, arranged: who becomes what, in which order, and what the swarm survives after each. Pure.

The first host is a canary. Managers follow one at a time, then the workers, several at once; the host of the
key-value store comes last, when nobody needs the store any more, unless the swarm cannot begin without it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate

from jobs import quorum
from jobs.contract import Finding, FleetPlanned, Leg, Role
from jobs.facts import SwarmFacts, upstream
from jobs.inventory import Host
from jobs.plan import Plan, Refusal

MANAGERS = 3  # proposed when the inventory names none: one may fail


def roles(hosts: Sequence[Host], stores: frozenset[str], managing: frozenset[str]) -> dict[str, Role]:
    """As the inventory says; if it names no manager, an odd number of them, each on a server of its own.

    `stores`: hosts with the key-value store; `managing`: those that are managers, or wait to be: who is one stays one.
    """
    named = {host.name for host in hosts if host.role == "manager"} or _proposed(hosts, stores, managing)
    return {host.name: "manager" if host.name in named | managing else "worker" for host in hosts}


def order(hosts: Sequence[Host], wanted: Mapping[str, Role], stores: frozenset[str]) -> tuple[Host, ...]:
    """A first manager that was in no classic swarm has the least to lose. Without one, no worker could join."""

    def place(host: Host) -> tuple[bool, bool, str]:
        return wanted[host.name] == "worker", bool(host.discovery), host.name

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
        for host, wave, number in zip(todo, _waves(todo, wanted, stores), list(managers)[1:], strict=True)
    ]
    done = tuple(host.name for host in ordered if host not in todo)
    return FleetPlanned(tuple(legs), done, (*_managers(ordered, wanted), *_versions(plans)), parallel)


def _proposed(hosts: Sequence[Host], stores: frozenset[str], managing: frozenset[str]) -> set[str]:
    """The first host of each server, as many as make an odd number."""

    def place(host: Host) -> tuple[bool, bool, bool, str]:
        return host.name not in managing, host.name in stores, bool(host.discovery), host.name

    first: dict[str, str] = {}
    for host in sorted(hosts, key=place):
        first.setdefault(host.server or host.name, host.name)
    number = min(MANAGERS, len(first))
    return set(list(first.values())[: number - (number % 2 == 0)])


def _nothing(made: Plan | Refusal) -> bool:
    return isinstance(made, Plan) and not made.steps and not made.waits


def _joins_as_manager(role: Role, made: Plan | Refusal, swarm: SwarmFacts) -> int:
    founds = isinstance(made, Plan) and not made.waits and not swarm.exists
    return int(role == "manager" and isinstance(made, Plan) and (made.waits or founds))


def _waves(hosts: Iterable[Host], wanted: Mapping[str, Role], stores: frozenset[str]) -> list[int]:
    """Legs of one wave may go on together: only workers without a store do, and never with the canary."""
    waves: list[int] = []
    together = False
    for host in hosts:
        alone = wanted[host.name] == "manager" or host.name in stores or not waves
        waves.append((waves[-1] if waves else -1) + int(alone or not together))
        together = not alone
    return waves


def _leg(host: Host, role: Role, made: Plan | Refusal, wave: int, managers: int) -> Leg:
    if isinstance(made, Refusal):
        return Leg(host.name, role, 0, wave, "", findings=(made.finding,))
    weighty = tuple(finding for finding in made.findings if finding.level != "pass")
    return Leg(host.name, role, len(made.steps), wave, quorum.survives(managers), made.warned, weighty)


def _managers(hosts: Sequence[Host], wanted: Mapping[str, Role]) -> tuple[Finding, ...]:
    managers = [host for host in hosts if wanted[host.name] == "manager"]
    shared = [server for server, number in Counter(host.server for host in managers).items() if server and number > 1]
    found = []
    if len(managers) % 2 == 0:
        text = f"{len(managers)} managers: an even number survives no more than {max(len(managers) - 1, 0)}"
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
