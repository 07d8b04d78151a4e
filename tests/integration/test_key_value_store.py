"""Retire the key-value store with two clicks on the message of the last member."""

from pathlib import Path

import pytest
from redis import Redis

from lab.simulated.engine_versions import Pace
from lab.simulated.fleet import run_fleet, select_hosts
from tests.support.in_process_stack import InProcessStack

ALICE, STORE = "U01ALICE", "consulnode01"


def test_first_click_stops_the_store_and_second_removes_it(
    redis: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with run_fleet(
        select_hosts(("connewitz", "lausen", "tondi")), tmp_path, Pace(upgrade=0, restart=0, boot=0, join=0)
    ) as fleet:
        stack = InProcessStack(redis, fleet, monkeypatch)
        for arguments in ("connewitz --manager", "lausen", "tondi --worker"):
            stack.deliver(stack.type_command(ALICE, f"migrate {arguments}"))
            stack.run_job("changes")
            stack.reconcile()
        (run,) = stack.runs.open_runs()
        store = fleet["lausen"].containers[STORE]

        def press(label: str, job: int) -> str:
            stack.clock_offset += 3
            stack.reconcile()
            (message,) = [message for message in stack.visible_messages() if label in message.buttons]
            stack.deliver(stack.press_button(ALICE, message, f"{run}:{job}", "continue"))
            stack.run_job("changes")
            stack.clock_offset += 3
            stack.reconcile()
            return next(
                message.plain_text for message in stack.visible_messages() if f"run `{run}`" in message.plain_text
            )

        assert store.running
        assert "Remove it?" in press("Stop", 1)
        assert (store.running, STORE in fleet["lausen"].containers) == (False, True)
        assert "removed consulnode01 from lausen. Its volumes are kept" in press("Remove", 2)
        assert STORE not in fleet["lausen"].containers
