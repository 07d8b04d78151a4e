"""Read the facts of many hosts in parallel, and probe the swarm's ports between them. Read-only."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from imker.protocol.commands import Role
from jobs.connectors.shell import Shell
from jobs.errors import JobError
from jobs.facts.host import HostFacts
from jobs.facts.ports import PortProbe
from jobs.gather.connections import Connections
from jobs.gather.host import gather_host
from jobs.gather.ports import PortListeners
from jobs.gather.swarm import EngineAnswer
from jobs.inventory.model import Host
from jobs.settings import EngineSection

MAX_PARALLEL_HOSTS = 32  # hosts inspected at the same time
FactsByHost = Mapping[str, HostFacts | JobError]


def gather_hosts(
    connections: Connections,
    hosts: Sequence[Host],
    engine_settings: EngineSection,
    answer: Callable[[str], EngineAnswer | JobError],
    on_inspected: Callable[[Host], None],
) -> FactsByHost:
    """Return the facts of each host, or its error. `answer`: waits for the answer of a host's Engine."""

    def gather_one(host: Host) -> HostFacts | JobError:
        try:
            with connections.open_shell(host) as shell:
                return gather_host(shell, host, engine_settings, answer(host.name))
        except JobError as error:
            return error
        finally:
            on_inspected(host)

    with ThreadPoolExecutor(MAX_PARALLEL_HOSTS) as pool:
        return dict(zip((host.name for host in hosts), pool.map(gather_one, hosts), strict=True))


def probe_ports(
    connections: Connections, hosts: Sequence[Host], facts: FactsByHost, roles: Mapping[str, Role]
) -> Sequence[PortProbe]:
    """Probe the ports from each host to each planned manager and to its neighbour in the list.

    Probing all pairs of a large fleet would take hours. Hosts that are in a swarm need no probe.
    """
    outside = [host for host in hosts if _not_in_swarm(facts[host.name])]
    managers = [host for host in outside if roles[host.name] == "manager"]
    with ExitStack() as stack, ThreadPoolExecutor(MAX_PARALLEL_HOSTS) as pool:
        shells_or_errors = list(pool.map(lambda host: _open_shell(connections, stack, host), outside))
        shells = [shell for shell in shells_or_errors if not isinstance(shell, JobError)]
        unreachable = {shell.host: shell.summary for shell in shells_or_errors if isinstance(shell, JobError)}
        listeners = stack.enter_context(PortListeners(shells, unreachable))
        targets = {host.name: _probe_targets(number, outside, managers) for number, host in enumerate(outside)}
        probes_by_shell = pool.map(lambda shell: listeners.probe(shell, targets[shell.host]), shells)
        return [probe for probes in probes_by_shell for probe in probes]


def _open_shell(connections: Connections, stack: ExitStack, host: Host) -> Shell | JobError:
    try:
        return stack.enter_context(connections.open_shell(host))
    except JobError as error:
        return error


def _not_in_swarm(facts: HostFacts | JobError) -> bool:
    return isinstance(facts, HostFacts) and facts.membership.state != "active"


def _probe_targets(number: int, hosts: Sequence[Host], managers: Sequence[Host]) -> dict[str, str]:
    host_itself, neighbour = hosts[number], hosts[(number + 1) % len(hosts)]
    candidates = hosts if host_itself in managers else (*managers, neighbour)
    return {host.name: host.advertise_address for host in candidates if host != host_itself}
