"""How often Slack is called is counted in every span of two seconds, not on average."""

import pytest

from bench.simulated_hosts import most_at_once


@pytest.mark.parametrize(
    ("times", "most"),
    [((), 0), ((5.0,), 1), ((0.0, 1.9, 2.1), 2), ((0.0, 2.0, 4.0), 1), ((9.0, 0.0, 8.5, 8.0, 7.1), 4)],
)
def test_counts_the_most_calls_within_two_seconds(times: tuple[float, ...], most: int) -> None:
    calls = [{"method": "chat.update", "at": at} for at in times] + [{"method": "chat.postMessage", "at": 0.0}]
    assert most_at_once(calls, "chat.update") == most
