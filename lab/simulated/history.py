"""The history of simulated hosts: every change in order, with its time and connection.

In: actions as they happen, from many threads. Out: values to check afterwards.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class Action:
    """One change. Times are monotonic; `ended_at` is 0 while it is running.

    `kind` is its kind, such as "file", "unit", "join". `source` is the connection, "" for a fault. `error` is "" after
    success. `token` is the fencing token of its run, 0 for none.
    """

    host: str
    kind: str
    detail: str
    source: str
    started_at: float
    ended_at: float = 0.0
    error: str = ""
    token: int = 0


class History:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._actions: list[Action] = []
        self._unknown_requests: list[str] = []

    @contextmanager
    def record_action(self, host: str, kind: str, detail: str, source: str, token: int = 0) -> Iterator[Action]:
        """Record an action with its start and end."""
        action = Action(host, kind, detail, source, time.monotonic(), token=token)
        with self._lock:
            self._actions.append(action)
        try:
            yield action
        finally:
            action.ended_at = time.monotonic()

    def record_event(self, host: str, kind: str, detail: str) -> None:
        """Record a change that came over no connection: a fault, or something the host does on its own."""
        with self.record_action(host, kind, detail, ""):
            pass

    def record_unknown(self, host: str, request: str) -> None:
        with self._lock:
            self._unknown_requests.append(f"{host}: {request}")

    def actions(self, kind: str = "", host: str = "") -> list[Action]:
        with self._lock:
            return [action for action in self._actions if kind in ("", action.kind) and host in ("", action.host)]

    @property
    def unknown_requests(self) -> list[str]:
        """Return commands and API calls that no simulated host understands. There should be none."""
        with self._lock:
            return list(self._unknown_requests)
