"""When the next look is due: sooner while a change has to hold."""

import pytest

from bot.watch.model import WatchState
from bot.watch.schedule import swarm_interval
from tests.support.watch_looks import fold


@pytest.mark.parametrize(
    ("sees", "every", "seconds"),
    [
        ("", 60, 60),
        ("lausen Down", 60, 20),
        ("tondi unreachable", 300, 20),
        ("tondi leads", 60, 20),
        ("no manager", 60, 20),
        ("web 1/3", 60, 60),
        ("web 1/3", 300, 120),
        ("web 1/3, lausen Down", 300, 20),
        ("lausen Down", 10, 10),
    ],
)
def test_the_next_look(sees: str, every: float, seconds: float) -> None:
    state = fold(fold(WatchState(), "", 0), sees, 60)
    assert swarm_interval(state, every) == seconds


def test_a_power_loss_is_known_within_150_seconds() -> None:
    """The managers notice it within 20 s, the next look may be 60 s later, and another one confirms it."""
    state = fold(fold(WatchState(), "", 0), "lausen Down", 80)
    assert 20 + 60 + swarm_interval(state, 60) + 10 < 150
