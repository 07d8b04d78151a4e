"""Open a Socket Mode connection to Slack and watch whether it responds."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from slack_bolt import App
from slack_bolt.adapter.socket_mode import SocketModeHandler

CONCURRENT_DELIVERIES, PING_INTERVAL = 20, 3  # envelopes handled at once; seconds
PONG_TIMEOUT = 20.0  # seconds without a pong after which a connection counts as not responding
RECONNECT_TIMEOUT = 600.0  # seconds without a connection; the SDK tries to reconnect during this time
HealthCheck = Callable[[], str]  # returns "" while the transport responds, else the problem


@dataclass(frozen=True)
class Transport:
    """A way in for requests of Slack. `is_connected`: False also while the SDK tries to connect again."""

    find_problem: HealthCheck
    is_connected: Callable[[], bool]


@contextmanager
def open_socket_mode(bolt: App, token: str) -> Iterator[Transport]:
    """Connect, yield the transport, and disconnect at the end."""
    handler = SocketModeHandler(bolt, token, concurrency=CONCURRENT_DELIVERIES, ping_interval=PING_INTERVAL)

    def pong() -> float | None:
        session = handler.client.current_session
        return session.last_ping_pong_time if session else None

    handler.connect()  # type: ignore[no-untyped-call]
    try:
        connected = handler.client.is_connected
        yield Transport(pong_watchdog(pong, connected), connected)
    finally:
        handler.close()  # type: ignore[no-untyped-call]


def pong_watchdog(
    pong: Callable[[], float | None], connected: Callable[[], bool], clock: Callable[[], float] = time.monotonic
) -> HealthCheck:
    """Return a check that fails when pongs stop.

    The SDK misses a first pong that never arrives, and it uses a clock that can be set. `pong`: the time of the last
    pong by any clock, None before the first one of a connection; `clock`: monotonic seconds.
    """
    last_pong, changed_at = pong(), clock()

    def find_problem() -> str:
        nonlocal last_pong, changed_at
        latest_pong = pong()
        if latest_pong is not None and latest_pong != last_pong:
            last_pong, changed_at = latest_pong, clock()
        if clock() - changed_at > (PONG_TIMEOUT if connected() else RECONNECT_TIMEOUT):
            return "the Socket Mode connection does not respond"
        return ""

    return find_problem
