"""The key-value store's end by two clicks, from the last member's message."""

from pathlib import Path

import pytest
from redis import Redis

from lab.simulated.dialect import Pace
from lab.simulated.fleet import named, running
from tests.flow.circle import Circle

ALICE, STORE = "U01ALICE", "consulnode01"


def test_stopped_by_a_first_click_removed_by_a_second(
    redis: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(
        named(("connewitz", "lausen", "tondi")), tmp_path, Pace(upgrade=0, restart=0, boot=0, join=0)
    ) as fleet:
        circle = Circle(redis, fleet, monkeypatch)
        for asked in ("connewitz --manager", "lausen", "tondi --worker"):
            circle.deliver(circle.types(ALICE, f"migrate {asked}"))
            circle.work("changes")
            circle.report()
        (run,) = circle.runs.open_runs()
        store = fleet["lausen"].containers[STORE]

        def press(label: str, job: int) -> str:
            circle.ahead += 3
            circle.report()
            (seen,) = [seen for seen in circle.sees() if label in seen.buttons]
            circle.deliver(circle.presses(ALICE, seen, f"{run}:{job}", "continue"))
            circle.work("changes")
            circle.ahead += 3
            circle.report()
            return next(seen.plain for seen in circle.sees() if f"run `{run}`" in seen.plain)

        assert store.running
        assert "Remove it?" in press("Stop it", 1)
        assert (store.running, STORE in fleet["lausen"].containers) == (False, True)
        assert "consulnode01 is gone from lausen; its volumes stay" in press("Remove it", 2)
        assert STORE not in fleet["lausen"].containers
