"""Report to systemd that a process is ready and still works, as sd_notify does. Does nothing without systemd."""

import os
import socket
from collections.abc import Callable
from contextlib import suppress

READY, ALIVE, STOPPING = "READY=1", "WATCHDOG=1", "STOPPING=1"
SOCKET_VARIABLE = "NOTIFY_SOCKET"


def notify(state: str) -> None:
    """Send the state to the socket that systemd names, if it does. A service manager that is gone is no error."""
    path = os.environ.get(SOCKET_VARIABLE, "")
    if not path:
        return
    address = f"\0{path[1:]}" if path.startswith("@") else path  # a name in the abstract namespace
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
        connection.sendto(state.encode(), address)


def watchdog_seconds() -> float:
    """Return how often to report ALIVE, 0 if the service manager does not expect it: half of its timeout."""
    return int(os.environ.get("WATCHDOG_USEC") or 0) / 2_000_000


def reporting_alive(check: Callable[[], bool]) -> Callable[[], bool]:
    """Return a function that reports ALIVE and then calls `check`."""

    def report_and_check() -> bool:
        notify(ALIVE)
        return check()

    return report_and_check
