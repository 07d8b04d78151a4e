"""The connections that gathering needs, as protocols: `jobs.context.JobContext` provides all of them. Pure."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from jobs.connectors.engine import EngineFactory
from jobs.connectors.shell import Shell
from jobs.inventory.model import Host, Inventory


class Connections(Protocol):
    """Ways to the hosts of the inventory. `open_shell` and `engine_factory` raise JobError for an unreachable host."""

    @property
    def inventory(self) -> Inventory: ...

    @property
    def open_shell(self) -> Callable[[Host], AbstractContextManager[Shell]]: ...

    @property
    def engine_factory(self) -> EngineFactory: ...


class SignedValues(Protocol):
    """Values in Redis that carry a signature."""

    def load_signed(self, key: str, /) -> str | None: ...

    def save_signed(self, key: str, text: str, /) -> None: ...


class SwarmConnections(Connections, Protocol):
    """Ways to the hosts, and the place where the known swarm is saved."""

    @property
    def events(self) -> SignedValues: ...
