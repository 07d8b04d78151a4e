"""Pause, resume, cancel, and retry a fleet, as a whole or by the run of one host."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from imker.protocol.events import FleetPlanned
from imker.protocol.run_id import host_run_id
from lab.simulated.engine_versions import Pace
from lab.simulated.fleet import run_fleet, select_hosts
from tests.support.in_process_stack import InProcessStack

ALICE = "U01ALICE"
HOSTS = ("connewitz", "lausen")


@pytest.fixture
def circle(redis: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InProcessStack]:
    with run_fleet(select_hosts(HOSTS), tmp_path, Pace(upgrade=0, restart=0, boot=0, join=0)) as fleet:
        yield InProcessStack(redis, fleet, monkeypatch)


def says(circle: InProcessStack, text: str) -> None:
    circle.deliver(circle.type_command(ALICE, text))


def started(circle: InProcessStack, text: str) -> str:
    """Start a fleet migration; its first host is queued."""
    before = circle.runs.open_runs()
    says(circle, text)
    (run,) = set(circle.runs.open_runs()) - set(before)
    circle.run_job("reads")
    circle.reconcile()
    view = circle.runs.snapshot(run).state  # type: ignore[union-attr]
    message = next(message for message in circle.visible_messages() if f"run `{run}`" in message.plain_text)
    circle.deliver(circle.press_button(ALICE, message, f"{run}:{view.record.job_count}", "start"))
    circle.reconcile()
    return run


def ends(circle: InProcessStack, run: str) -> str:
    """Run jobs and the reconciler until nothing is left to do."""
    for _ in range(9):
        circle.reconcile()
        circle.run_job("changes")
    circle.clock_offset += 15
    circle.reconcile()
    return next(
        message.plain_text
        for message in circle.visible_messages()
        if "`/swarm migrate all" in message.plain_text and f"run `{run}`" in message.plain_text
    )


def started_hosts(circle: InProcessStack, run: str) -> list[str]:
    return [host for host in HOSTS if circle.runs.record(host_run_id(run, host))]


def inside(circle: InProcessStack) -> set[str]:
    return {node.hostname for node in circle.fleet.world.swarm.nodes.values()}


def legs(circle: InProcessStack, run: str) -> list[str]:
    plan = circle.runs.snapshot(run).state.fleet  # type: ignore[union-attr]
    assert isinstance(plan, FleetPlanned)
    return [leg.host for leg in plan.host_plans]


@pytest.mark.parametrize("whole_fleet", [True, False], ids=["the fleet", "a host's own run"])
def test_pauses_and_resumes_a_fleet(circle: InProcessStack, whole_fleet: bool) -> None:
    run = started(circle, "migrate all")
    hold = run if whole_fleet else host_run_id(run, "connewitz")
    says(circle, f"pause {hold}")
    assert ("paused" if whole_fleet else "a host is waiting for input") in ends(circle, run)
    assert (started_hosts(circle, run), inside(circle)) == (["connewitz"], set())
    circle.clock_offset = 0
    says(circle, f"resume {hold}")
    assert "2 hosts migrated: 1 manager, 1 worker" in ends(circle, run)
    assert inside(circle) == set(HOSTS)


def test_resuming_the_fleet_resumes_a_host_that_was_paused_twice(circle: InProcessStack) -> None:
    run = started(circle, "migrate all")
    says(circle, f"pause {host_run_id(run, 'connewitz')}")
    circle.run_job("changes")
    says(circle, f"pause {run}")
    assert "paused" in ends(circle, run)
    says(circle, f"resume {run}")
    assert "2 hosts migrated" in ends(circle, run)


def test_retry_after_cancel_migrates_only_the_remaining_hosts(circle: InProcessStack) -> None:
    run = started(circle, "migrate all")
    circle.run_job("changes")
    circle.reconcile()
    assert started_hosts(circle, run) == ["connewitz", "lausen"]
    says(circle, f"cancel {run}")
    end = ends(circle, run)
    assert "cancelled, 1 of 2 hosts" in end
    assert "In the swarm: `connewitz`. Not started: none." in end
    assert inside(circle) == {"connewitz"}
    again = started(circle, f"retry {run}")
    assert legs(circle, again) == ["lausen"]
    assert "1 host migrated" in ends(circle, again)
    assert inside(circle) == set(HOSTS)


def test_failed_first_host_stops_the_fleet_and_retry_starts_with_it(circle: InProcessStack) -> None:
    run = started(circle, "migrate all")
    circle.fleet["connewitz"].apt_fails = True
    end = ends(circle, run)
    assert "In the swarm: none. Not started: `lausen`." in end
    assert f"/swarm retry {run}" in end
    assert started_hosts(circle, run) == ["connewitz"]
    circle.fleet["connewitz"].apt_fails = False
    again = started(circle, f"retry {run}")
    assert "2 hosts migrated" in ends(circle, again)


def test_stops_a_fleet_whose_starter_loses_the_right(circle: InProcessStack) -> None:
    """Restart the reconcilers with the new configuration: the running step ends, and no further step starts."""
    run = started(circle, "migrate all")
    circle.run_job("changes")
    file = circle.fleet.folder / "imker.toml"
    file.write_text(file.read_text().replace('change = ["U01ALICE"]', 'change = ["U02BOB"]'))
    circle.restart_reconcilers()
    end = ends(circle, run)
    assert started_hosts(circle, run) == ["connewitz"]
    assert inside(circle) == {"connewitz"}
    assert "the user who requested it no longer has permission" in end
    assert "In the swarm: `connewitz`. Not started: `lausen`." in end


def test_does_not_change_a_queued_host_after_revocation(circle: InProcessStack) -> None:
    run = started(circle, "migrate all")
    file = circle.fleet.folder / "imker.toml"
    file.write_text(file.read_text().replace('change = ["U01ALICE"]', 'change = ["U02BOB"]'))
    circle.restart_reconcilers()
    end = ends(circle, run)
    assert (started_hosts(circle, run), inside(circle)) == (["connewitz"], set())
    assert "Not started: `lausen`" in end
