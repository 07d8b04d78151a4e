"""The connections that gathering needs, as protocols: `jobs.context.JobContext` provides all of them. Pure."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from jobs.connectors.engine import Engine, EngineFactory
from jobs.connectors.shell import Shell
from jobs.errors import NoAnswer
from jobs.inventory.model import Host, Inventory


class Connections(Protocol):
    """Ways to the hosts of the inventory. `open_shell` and `engine_factory` raise JobError for an unreachable host.

    For a host whose Engine did not answer in time in this job, `connect_unless_silent` does not wait again, and
    `connect_briefly_if_silent` only for a moment.
    """

    @property
    def inventory(self) -> Inventory: ...

    @property
    def open_shell(self) -> Callable[[Host], AbstractContextManager[Shell]]: ...

    @property
    def engine_factory(self) -> EngineFactory: ...

    def connect_unless_silent(self, host: Host, timeout: float = 10) -> Engine: ...

    def connect_briefly_if_silent(self, host: Host, timeout: float = 10) -> Engine: ...


class SignedValues(Protocol):
    """Values in Redis that carry a signature."""

    def load_signed(self, key: str, /) -> str | None: ...

    def save_signed(self, key: str, text: str, /) -> None: ...


class SwarmConnections(Connections, Protocol):
    """Ways to the hosts, and the place where the known swarm is saved."""

    @property
    def events(self) -> SignedValues: ...

    @property
    def silent_hosts(self) -> dict[str, NoAnswer]: ...
