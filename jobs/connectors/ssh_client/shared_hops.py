"""Share the connection to a jump host among all hosts behind it.

Without that, a fleet behind one jump host would log in there once for each host, and sshd refuses logins at random when
more than ten are on their way (MaxStartups).
"""

import threading
import time
from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar

from jobs.errors import JobError


class Closable(Protocol):
    """A connection that can be used while it is active."""

    @property
    def is_active(self) -> bool: ...

    def close(self) -> None: ...


C = TypeVar("C", bound=Closable)


class Hop(Generic[C]):
    """One user's share in a connection. The connection is closed when the last share is released."""

    def __init__(self, entry: "_Entry[C]", connection: C) -> None:
        self._entry = entry
        self._is_released = False
        self.connection = connection

    def release(self) -> None:
        """Give the share back, once: a user may close its own connection twice."""
        if not self._is_released:
            self._is_released = True
            self._entry.release(self.connection)


class _Entry(Generic[C]):
    """The connection to one jump host, and how many use it. `failed_at`: monotonic time of the last failure."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users: dict[int, int] = {}
        self._current: C | None = None
        self._error: JobError | None = None
        self._failed_at = 0.0

    def acquire(self, connect: Callable[[], C]) -> Hop[C]:
        """Return a share. A failure that happened while this caller waited is its failure too."""
        waits_since = time.monotonic()
        with self._lock:
            if self._error and self._failed_at >= waits_since:
                raise self._error
            if self._current is None or not self._current.is_active:
                self._current = self._connect(connect)
            number = id(self._current)
            self._users[number] = self._users.get(number, 0) + 1
            return Hop(self, self._current)

    def _connect(self, connect: Callable[[], C]) -> C:
        try:
            return connect()
        except JobError as error:
            self._error, self._failed_at = error, time.monotonic()
            raise

    def release(self, connection: C) -> None:
        with self._lock:
            number = id(connection)
            self._users[number] -= 1
            if self._users[number]:
                return
            del self._users[number]
            if self._current is connection:
                self._current = None
        connection.close()


class SharedHops(Generic[C]):
    """The connections to jump hosts of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[Hashable, _Entry[C]] = {}

    def acquire(self, key: Hashable, connect: Callable[[], C]) -> Hop[C]:
        """Return a share in the connection with this key, which `connect` makes if there is none."""
        with self._lock:
            entry = self._entries.setdefault(key, _Entry())
        return entry.acquire(connect)
