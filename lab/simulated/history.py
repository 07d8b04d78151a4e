"""What was done to the simulated hosts, in order: every step that changes something, when, by which connection.

In: deeds as they happen, from many threads. Out: values to check afterwards. What a deed does is not known here.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class Action:
    """`began`, `ended`: by the monotonic clock, `ended` 0 while it goes on; `source`: the connection, "" for a fault.

    `kind`: what it does, such as "file", "unit", "join"; `said`: how it ended, "" for well; `fence`: the number that
    its run had claimed the host with, 0 for none.
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
        action = Action(host, kind, detail, source, time.monotonic(), token=token)
        with self._lock:
            self._actions.append(action)
        try:
            yield action
        finally:
            action.ended_at = time.monotonic()

    def record_event(self, host: str, kind: str, detail: str) -> None:
        """What nobody asked for over a connection: a fault, or what a host does by itself."""
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
        """Commands and calls that no simulated host understands: there should be none."""
        with self._lock:
            return list(self._unknown_requests)
