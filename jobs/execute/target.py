"""Define what a step works on: a host's shell and Engine, the swarm's managers, and callbacks for its progress."""

from collections.abc import Callable
from dataclasses import dataclass, field

from imker.protocol.commands import ListNodes
from imker.protocol.next_command import NextCommand
from jobs.connectors.engine import Engine, EngineFactory
from jobs.connectors.shell import Command, Output, Shell
from jobs.errors import JobError, Unreachable
from jobs.inventory.model import Host, Inventory


class UnavailableShell:
    """The shell of steps that need only Engines, so that they work while their host is unreachable."""

    def __init__(self, host: str) -> None:
        self.host = host

    def run(self, command: Command) -> Output:
        raise AssertionError(f"this step has no shell to {self.host}: {command.argv}")

    def reconnect(self) -> None:
        raise AssertionError(f"this step has no shell to {self.host}")


@dataclass
class StepTarget:
    """What a step works on.

    `on_progress`: gets a text on the running step; `on_output`: title and text for the run's thread; `on_file_change`:
    path, old and new text of a file before it is written; `address_pool`: of a new swarm, CIDR; `managers`: names of
    the hosts that manage the swarm, best first; `backed_up`: paths of the files that this job has backed up;
    `check_hold`: raises Paused or Cancelled if a user held the run, for steps that wait long.
    `check_cancelled`: raises Cancelled if a user cancelled the run while a step waits.
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
    check_hold: Callable[[], None] = lambda: None
    check_cancelled: Callable[[], None] = lambda: None

    def connect_engine(self) -> Engine:
        """Return a new client: the Engine may have restarted with another version since the last one."""
        return self.engine_factory(self.host)

    def connect_manager(self) -> Engine:
        """Return the first manager that answers. Raise Unreachable with the names of all managers if none does."""
        for name in self.managers:
            try:
                return self.engine_factory(self.inventory[name])
            except JobError:
                continue
        raise Unreachable(
            f"no manager is reachable (tried: {', '.join(self.managers) or 'none'})",
            next_commands=(NextCommand(ListNodes()),),
        )
