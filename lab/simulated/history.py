"""What was done to the simulated hosts, in order: every step that changes something, when, by which connection.

In: deeds as they happen, from many threads. Out: values to check afterwards. What a deed does is not known here.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class Deed:
    """`began`, `ended`: by the monotonic clock, `ended` 0 while it goes on; `source`: the connection, "" for a fault.

    `kind`: what it does, such as "file", "unit", "join"; `said`: how it ended, "" for well; `fence`: the number that
    its run had claimed the host with, 0 for none.
    """

    host: str
    kind: str
    what: str
    source: str
    began: float
    ended: float = 0.0
    said: str = ""
    fence: int = 0


class History:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._deeds: list[Deed] = []
        self._unknown: list[str] = []

    @contextmanager
    def deed(self, host: str, kind: str, what: str, source: str, fence: int = 0) -> Iterator[Deed]:
        deed = Deed(host, kind, what, source, time.monotonic(), fence=fence)
        with self._lock:
            self._deeds.append(deed)
        try:
            yield deed
        finally:
            deed.ended = time.monotonic()

    def note(self, host: str, kind: str, what: str) -> None:
        """What nobody asked for over a connection: a fault, or what a host does by itself."""
        with self.deed(host, kind, what, ""):
            pass

    def not_known(self, host: str, what: str) -> None:
        with self._lock:
            self._unknown.append(f"{host}: {what}")

    def deeds(self, kind: str = "", host: str = "") -> list[Deed]:
        with self._lock:
            return [deed for deed in self._deeds if kind in ("", deed.kind) and host in ("", deed.host)]

    @property
    def unknown(self) -> list[str]:
        """Commands and calls that no simulated host understands: there should be none."""
        with self._lock:
            return list(self._unknown)
