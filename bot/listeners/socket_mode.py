"""Open a Socket Mode connection to Slack and watch whether it responds."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from slack_bolt import App
from slack_bolt.adapter.socket_mode import SocketModeHandler

CONCURRENT_DELIVERIES, PING_INTERVAL = 20, 3  # envelopes at once; seconds
PONG_TIMEOUT = 20.0  # seconds without a pong after which a connection counts as deaf
RECONNECT_TIMEOUT = 600.0  # seconds without a connection, which the SDK tries to make all the while
HealthCheck = Callable[[], str]  # "" while it hears; else why it does not


@contextmanager
def open_socket_mode(bolt: App, token: str) -> Iterator[HealthCheck]:
    handler = SocketModeHandler(bolt, token, concurrency=CONCURRENT_DELIVERIES, ping_interval=PING_INTERVAL)

    def pong() -> float | None:
        session = handler.client.current_session
        return session.last_ping_pong_time if session else None

    handler.connect()  # type: ignore[no-untyped-call]
    try:
        yield pong_watchdog(pong, handler.client.is_connected)
    finally:
        handler.close()  # type: ignore[no-untyped-call]


def pong_watchdog(
    pong: Callable[[], float | None], connected: Callable[[], bool], clock: Callable[[], float] = time.monotonic
) -> HealthCheck:
    """Whether pongs come: the SDK itself does not notice if the first never did, nor by a clock that is set.

    `pong`: when the SDK heard the last one, by any clock, None before the first of a connection; `clock`: seconds.
    """
    last, since = pong(), clock()

    def hears() -> str:
        nonlocal last, since
        latest_pong = pong()
        if latest_pong is not None and latest_pong != last:
            last, since = latest_pong, clock()
        if clock() - since > (PONG_TIMEOUT if connected() else RECONNECT_TIMEOUT):
            return "the Socket Mode connection is deaf"
        return ""

    return hears
