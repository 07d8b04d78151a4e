"""An unresponsive Socket Mode connection is detected, also when the system clock is set."""

import pytest

from bot.listeners.socket_mode import PONG_TIMEOUT, RECONNECT_TIMEOUT, pong_watchdog


@pytest.mark.parametrize(
    ("first", "pongs", "connected", "seconds", "is_unresponsive"),
    [
        (None, {}, True, PONG_TIMEOUT, False),
        (None, {}, True, PONG_TIMEOUT + 1, True),  # never a pong
        (None, {5: 1000.0}, True, PONG_TIMEOUT + 5, False),
        (None, {5: 1000.0}, True, PONG_TIMEOUT + 7, True),  # pongs stopped
        (1000.0, {n: 1000.0 + n for n in range(5, 300, 5)}, True, 300, False),
        (1000.0, {10: 4700.0, 20: 4710.0}, True, 40, False),  # the clock was set forward by an hour
        (1000.0, {10: -2600.0, 20: -2590.0}, True, 40, False),  # or back
        (1000.0, {10: 4700.0}, True, 10 + PONG_TIMEOUT + 1, True),
        (1000.0, {10: -2600.0}, True, 10 + PONG_TIMEOUT + 1, True),
        (1000.0, {10: None}, True, PONG_TIMEOUT + 1, True),  # a new connection without a pong
        (1000.0, {}, False, RECONNECT_TIMEOUT, False),  # Slack is down: the SDK tries to connect
        (1000.0, {}, False, RECONNECT_TIMEOUT + 1, True),
    ],
)
def test_detects_an_unresponsive_connection(
    first: float | None, pongs: dict[int, float | None], connected: bool, seconds: float, is_unresponsive: bool
) -> None:
    """`pongs`: the second at which the SDK received a pong, and what its clock said then."""
    pong, now = [first], [0.0]
    find_problem = pong_watchdog(lambda: pong[0], lambda: connected, lambda: now[0])
    for second in range(int(seconds) + 1):
        now[0] = float(second)
        pong[0] = pongs.get(second, pong[0])
        problem = find_problem()
    assert bool(problem) is is_unresponsive
