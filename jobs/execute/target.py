"""Where a step works: a host's shell and Engine, the swarm's managers, and whom it tells."""

from collections.abc import Callable
from dataclasses import dataclass, field

from jobs.connectors.engine import Engine, EngineFactory
from jobs.connectors.shell import Output, Shell
from jobs.errors import JobError, Unreachable
from jobs.inventory.model import Host, Inventory


class UnavailableShell:
    """For steps over Engines alone, which are done though their host is away."""

    def __init__(self, host: str) -> None:
        self.host = host

    def run(self, *argv: str, **_: object) -> Output:
        raise AssertionError(f"no shell to {self.host} here: {argv}")

    def reconnect(self) -> None:
        raise AssertionError(f"no shell to {self.host} here")


@dataclass
class StepTarget:
    """`managers`: names of the hosts that manage the swarm, the best first; `note`: a running step's word to the run;

    `detail`: (title, text) for the run's thread; `changed`: (path, before, after) of a file, told before it is
    written; `pool`: a new swarm's address pool; `kept`: paths of the files that this job has saved.
    """

    host: Host
    shell: Shell
    inventory: Inventory
    engine_factory: EngineFactory
    on_progress: Callable[[str], None]
    on_output: Callable[[str, str], None]
    on_file_change: Callable[[str, str, str], None]
    address_pool: str
    managers: tuple[str, ...] = ()
    backed_up: set[str] = field(default_factory=set)

    def connect_engine(self) -> Engine:
        """A new client: the Engine may have been restarted, as another version, since the last one."""
        return self.engine_factory(self.host)

    def connect_manager(self) -> Engine:
        """The first manager that answers. Raises Unreachable, naming all that were asked."""
        for name in self.managers:
            try:
                return self.engine_factory(self.inventory[name])
            except JobError:
                continue
        raise Unreachable(f"no manager answers (asked: {', '.join(self.managers) or 'none'})", hint="See /swarm nodes.")
