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
from jobs.errors import JobError, NotSent, Unreachable
from jobs.inventory.model import Host

MAX_CLOSING = 32  # connections closed at the same time; each takes up to 0.1 s
ShellOpener = Callable[[Host], AbstractContextManager[Shell]]


@runtime_checkable
class EngineShell(Protocol):
    """A Shell whose connection also leads to the host's Engine. `is_active`: whether the connection is open."""

    @property
    def is_active(self) -> bool: ...
    def connect_engine(self, deadline: float) -> Stream: ...


class SharedShell:
    """A Shell that several parts of a job use, each maybe in a thread of its own."""

    def __init__(self, connect: Callable[[], AbstractContextManager[Shell]]) -> None:
        self._connect = connect
        self._managers: list[AbstractContextManager[Shell]] = []
        self._shell = self._open()
        self._lost_shell: Shell | None = None

    @property
    def host(self) -> str:
        return self._shell.host

    @property
    def is_lost(self) -> bool:
        """Return whether the connection was lost, so that the next user has to reconnect."""
        is_closed = isinstance(self._shell, EngineShell) and not self._shell.is_active
        return is_closed or self._lost_shell is self._shell

    @property
    def managers(self) -> tuple[AbstractContextManager[Shell], ...]:
        """Return all connections, each of which has to be closed at the end."""
        return tuple(self._managers)

    def run(self, command: Command) -> Output:
        with self._note_loss() as shell:
            return shell.run(command)

    def connect_engine(self, deadline: float) -> Stream:
        """Return a stream to the host's Engine, over this connection."""
        with self._note_loss() as shell:
            assert isinstance(shell, EngineShell)
            return shell.connect_engine(deadline)

    def reconnect(self) -> None:
        """Use a new connection from now on.

        The old one stays open until the end of the job: what lost one command may be a deadline of its own, and
        another thread's command may still be running over the same connection.
        """
        self._shell = self._open()

    def _open(self) -> Shell:
        manager = self._connect()
        shell = manager.__enter__()
        self._managers.append(manager)
        return shell

    @contextmanager
    def _note_loss(self) -> Iterator[Shell]:
        """Yield the current connection, and note if it is lost, unless it has been replaced meanwhile."""
        shell = self._shell
        try:
            yield shell
        except Unreachable:
            self._lost_shell = shell
            raise


@dataclass
class _Connection:
    """The connection to one host. `error`: why there is none; the host is not tried again in this job."""

    lock: threading.Lock = field(default_factory=threading.Lock)
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
        try:
            return self._open(host).connect_engine(deadline)
        except NotSent:  # the loss was not known before, so connect again
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
            return SharedShell(lambda: self._connect(host))
        except JobError as error:
            connection.error = error
            raise

    def close(self) -> None:
        """Close all connections. An error of a connection that is lost anyway is ignored."""
        shells = [connection.shell for connection in self._connections.values() if connection.shell]
        managers = [manager for shell in shells for manager in shell.managers]
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
