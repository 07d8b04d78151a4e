from dataclasses import replace

import pytest

from imker.moment import Moment, between, now

ASKED = Moment(1_000_000.0, "boot-a", 500.0)


@pytest.mark.parametrize(
    ("later", "seconds"),
    [
        (Moment(1_000_060.0, "boot-a", 560.0), 60),
        (Moment(1_003_660.0, "boot-a", 560.0), 60),  # somebody set the clock an hour on
        (Moment(996_460.0, "boot-a", 560.0), 60),  # or back
        (Moment(1_000_060.0, "boot-b", 3.0), 60),  # another machine, or after a reboot: the wall clocks
    ],
)
def test_how_long_it_is_does_not_depend_on_a_clock_that_is_set(later: Moment, seconds: float) -> None:
    assert between(ASKED, later) == seconds


def test_now_goes_on() -> None:
    first, second = now(), now()
    assert first.boot == second.boot
    assert between(first, second) >= 0
    assert between(second, replace(first, since=second.since + 1)) == 1
