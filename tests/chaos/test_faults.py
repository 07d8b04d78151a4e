"""A fault says what it hit, and nothing where there is nothing to hit."""

import random
from collections.abc import Iterator
from typing import Any, cast

import pytest

from lab.chaos.faults import FAULTS, Targets
from lab.simulated.engine_versions import Pace
from lab.simulated.fleet import Fleet, run_fleet, select_hosts

NOBODY: Any = None
OF_A_SWARM = (
    "stale node", "drained by another user", "manager locked for a while", "quorum lost for a while",
)  # fmt: skip


@pytest.fixture
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with run_fleet(select_hosts(("connewitz",)), tmp_path_factory.mktemp("faults"), Pace(boot=0)) as fleet:
        yield fleet


def hit(fleet: Fleet, name: str) -> str:
    return FAULTS[name](Targets(NOBODY, NOBODY, fleet), random.Random(1))


@pytest.mark.parametrize("name", ["SSH reset", "host silent", *OF_A_SWARM])
def test_nobody_is_connected_and_there_is_no_swarm(fleet: Fleet, name: str) -> None:
    assert hit(fleet, name) == ""


@pytest.mark.parametrize("name", OF_A_SWARM)
def test_a_swarm_in_trouble(fleet: Fleet, name: str) -> None:
    fleet.world.swarm.init(fleet["connewitz"])
    assert hit(fleet, name) == "connewitz"
    assert hit(fleet, name) == "", "it is there already"


class Slack:
    """`waiting`: faults that nobody has come to yet."""

    def __init__(self) -> None:
        self.waiting: set[tuple[str, str]] = set()

    def pending_faults(self) -> set[tuple[str, str]]:
        return self.waiting

    def set_fault(self, kind: str, method: str, **_: Any) -> None:
        self.waiting.add((kind, method))


def test_a_fault_of_slacks_waits_for_somebody_to_come_to_it(fleet: Fleet) -> None:
    slack = Slack()
    at = Targets(NOBODY, cast(Any, slack), fleet)
    fault = FAULTS["Slack: post's reply lost"]
    assert [fault(at, random.Random(1)) for _ in range(2)] == ["chat.postMessage", ""]
    slack.waiting.clear()
    assert fault(at, random.Random(1)) == "chat.postMessage"
