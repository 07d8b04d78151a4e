from dataclasses import replace

import pytest

from imker.clock import Timestamp, seconds_between, take_timestamp

ASKED = Timestamp(1_000_000.0, "boot-a", 500.0)


@pytest.mark.parametrize(
    ("later", "seconds"),
    [
        (Timestamp(1_000_060.0, "boot-a", 560.0), 60),
        (Timestamp(1_003_660.0, "boot-a", 560.0), 60),  # the clock was set an hour forward
        (Timestamp(996_460.0, "boot-a", 560.0), 60),  # or an hour back
        (Timestamp(1_000_060.0, "boot-b", 3.0), 60),  # another machine, or after a reboot: the wall clocks
    ],
)
def test_duration_does_not_depend_on_clock_changes(later: Timestamp, seconds: float) -> None:
    assert seconds_between(ASKED, later) == seconds


def test_timestamps_increase() -> None:
    first, second = take_timestamp(), take_timestamp()
    assert first.boot_id == second.boot_id
    assert seconds_between(first, second) >= 0
    assert seconds_between(second, replace(first, boot_seconds=second.boot_seconds + 1)) == 1
