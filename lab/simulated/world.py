"""All simulated hosts, the swarm they share, and the history of their changes. No sockets."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import cycle

from lab.fleet.hosts import LabHost
from lab.simulated.engine_versions import EngineAge, Pace
from lab.simulated.history import History
from lab.simulated.machine import Machine
from lab.simulated.swarm import Swarm


class World:
    """The simulated hosts and their surroundings.

    `tls` maps host names to the TLS files of their daemons. `ages` are the Engine ages of the hosts in turn; they
    repeat if there are more hosts.
    """

    def __init__(
        self,
        hosts: Iterable[LabHost],
        tls: Mapping[str, dict[str, str]],
        pace: Pace | None = None,
        ages: Sequence[EngineAge] = ("2016",),
    ) -> None:
        self.pace = pace or Pace()
        self.history = History()
        self.swarm = Swarm(self.pace)
        self.slow_joins: set[str] = set()  # a fault: names of hosts whose join continues after the Engine's timeout
        self.machines: dict[str, Machine] = {
            host.name: Machine(host, self, tls.get(host.name, {}), age) for host, age in zip(hosts, cycle(ages))
        }
