"""A run that is paused goes on from there once somebody says so, and can be paused again."""

from pathlib import Path

import pytest
from redis import Redis

from lab.simulated.dialect import Pace
from lab.simulated.fleet import named, running
from tests.flow.circle import Circle

ALICE = "U01ALICE"


def test_paused_and_resumed_twice(redis: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(named(("connewitz",)), tmp_path, Pace(upgrade=0, restart=0, boot=0, join=0)) as fleet:
        circle = Circle(redis, fleet, monkeypatch)
        circle.deliver(circle.types(ALICE, "migrate connewitz --manager"))
        (run,) = circle.runs.open_runs()

        def says(word: str) -> str:
            circle.deliver(circle.types(ALICE, f"{word} {run}"))
            circle.work("changes")
            view = circle.runs.view(circle.runs.record(run))  # type: ignore[arg-type]
            return view.ended.outcome if view.ended else view.waiting.question if view.waiting else view.state

        assert says("pause") == "resume"
        circle.deliver(circle.types(ALICE, f"resume {run}"))
        assert says("pause") == "resume"
        assert says("resume") == "done"
