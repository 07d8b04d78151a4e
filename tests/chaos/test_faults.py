"""Each chaos fault reports what it hit, or that there was nothing to hit."""

import random
from collections.abc import Iterator
from typing import Any, cast

import pytest

from lab.chaos.faults import FAULTS, Targets
from lab.simulated.engine_versions import Pace
from lab.simulated.fleet import Fleet, run_fleet, select_hosts

UNUSED: Any = None
OF_A_SWARM = (
    "stale node", "drained by another user", "manager locked for a while", "quorum lost for a while",
)  # fmt: skip


@pytest.fixture
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with run_fleet(select_hosts(("connewitz",)), tmp_path_factory.mktemp("faults"), Pace(boot=0)) as fleet:
        yield fleet


def hit(fleet: Fleet, name: str) -> str:
    return FAULTS[name](Targets(UNUSED, UNUSED, fleet), random.Random(1))


@pytest.mark.parametrize("name", ["SSH reset", "host silent", *OF_A_SWARM])
def test_reports_nothing_without_connections_and_swarm(fleet: Fleet, name: str) -> None:
    assert hit(fleet, name) == ""


@pytest.mark.parametrize("name", OF_A_SWARM)
def test_breaks_and_heals_the_swarm(fleet: Fleet, name: str) -> None:
    fleet.world.swarm.init(fleet["connewitz"])
    assert hit(fleet, name) == "connewitz"
    assert hit(fleet, name) == "", "it is there already"


class Slack:
    """A fake workspace. `waiting`: faults that have not happened yet."""

    def __init__(self) -> None:
        self.waiting: set[tuple[str, str]] = set()

    def pending_faults(self) -> set[tuple[str, str]]:
        return self.waiting

    def set_fault(self, kind: str, method: str, **_: Any) -> None:
        self.waiting.add((kind, method))


def test_slack_fault_waits_for_the_next_request(fleet: Fleet) -> None:
    slack = Slack()
    at = Targets(UNUSED, cast(Any, slack), fleet)
    fault = FAULTS["Slack: post's reply lost"]
    assert [fault(at, random.Random(1)) for _ in range(2)] == ["chat.postMessage", ""]
    slack.waiting.clear()
    assert fault(at, random.Random(1)) == "chat.postMessage"
