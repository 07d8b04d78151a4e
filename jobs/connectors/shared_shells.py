"""Share one SSH connection to each host within a job.

In: a function that connects to a host. Out: `open`, which returns the same Shell for the same host. All connections
are closed together at the end.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from jobs.connectors.engine_transport import Stream
from jobs.connectors.shell import Command, Output, Shell
from jobs.errors import JobError, Unreachable
from jobs.inventory.model import Host

MAX_CLOSING = 32  # connections closed at the same time; each takes up to 0.1 s
ShellOpener = Callable[[Host], AbstractContextManager[Shell]]


@runtime_checkable
class EngineShell(Protocol):
    """A Shell whose connection also leads to the host's Engine."""

    def connect_engine(self, deadline: float) -> Stream: ...


class SharedShell:
    """A Shell that several parts of a job use. `is_lost`: its connection was lost, so reconnect before the next use."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self.is_lost = False

    @property
    def host(self) -> str:
        return self._shell.host

    def run(self, command: Command) -> Output:
        try:
            return self._shell.run(command)
        except Unreachable:
            self.is_lost = True
            raise

    def connect_engine(self, deadline: float) -> Stream:
        """Return a stream to the host's Engine, over this connection."""
        assert isinstance(self._shell, EngineShell)
        try:
            return self._shell.connect_engine(deadline)
        except Unreachable:
            self.is_lost = True
            raise

    def reconnect(self) -> None:
        self._shell.reconnect()
        self.is_lost = False


@dataclass
class _Connection:
    """The connection to one host. `error`: why there is none; the host is not tried again in this job."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    manager: AbstractContextManager[Shell] | None = None
    shell: SharedShell | None = None
    error: JobError | None = None


class SharedShells:
    """The SSH connections of one job."""

    def __init__(self, connect: ShellOpener) -> None:
        self._connect = connect
        self._lock = threading.Lock()
        self._connections: dict[str, _Connection] = {}

    def open(self, host: Host) -> AbstractContextManager[Shell]:
        """Return the host's Shell, connected. Raise JobError, at once if the host could not be connected before."""
        return nullcontext(self._open(host))

    def connect_engine(self, host: Host, deadline: float) -> Stream:
        """Return a stream to the Engine of a host. `deadline`: in time.monotonic()."""
        return self._open(host).connect_engine(deadline)

    def _open(self, host: Host) -> SharedShell:
        with self._lock:
            connection = self._connections.setdefault(host.name, _Connection())
        with connection.lock:
            if connection.error:
                raise connection.error
            if connection.shell is None:
                connection.shell = self._open_first(connection, host)
            elif connection.shell.is_lost:
                connection.shell.reconnect()
            return connection.shell

    def _open_first(self, connection: _Connection, host: Host) -> SharedShell:
        try:
            connection.manager = self._connect(host)
            return SharedShell(connection.manager.__enter__())
        except JobError as error:
            connection.error = error
            raise

    def close(self) -> None:
        """Close all connections. An error of a connection that is lost anyway is ignored."""
        managers = [item.manager for item in self._connections.values() if item.manager]
        if managers:
            with ThreadPoolExecutor(min(MAX_CLOSING, len(managers))) as pool:
                list(pool.map(_close, managers))


@contextmanager
def share_shells(connect: ShellOpener) -> Iterator[SharedShells]:
    """Return shared connections, all of which are closed at the end."""
    shells = SharedShells(connect)
    try:
        yield shells
    finally:
        shells.close()


def _close(manager: AbstractContextManager[Shell]) -> None:
    with suppress(JobError, OSError, EOFError):
        manager.__exit__(None, None, None)
