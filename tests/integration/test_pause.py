"""Pause a run, resume it where it stopped, and pause it again."""

from pathlib import Path

import pytest
from redis import Redis

from lab.simulated.engine_versions import Pace
from lab.simulated.fleet import run_fleet, select_hosts
from tests.support.in_process_stack import InProcessStack

ALICE = "U01ALICE"


def test_pauses_and_resumes_a_run_twice(redis: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with run_fleet(select_hosts(("connewitz",)), tmp_path, Pace(upgrade=0, restart=0, boot=0, join=0)) as fleet:
        circle = InProcessStack(redis, fleet, monkeypatch)
        circle.deliver(circle.type_command(ALICE, "migrate connewitz --manager"))
        (run,) = circle.runs.open_runs()

        def says(word: str) -> str:
            circle.deliver(circle.type_command(ALICE, f"{word} {run}"))
            circle.run_job("changes")
            view = circle.runs.snapshot(run).state  # type: ignore[union-attr]
            return view.outcome.outcome if view.outcome else view.question.question if view.question else view.status

        assert says("pause") == "resume"
        circle.deliver(circle.type_command(ALICE, f"resume {run}"))
        assert says("pause") == "resume"
        assert says("resume") == "done"
