"""A fleet that is paused, resumed, cancelled and retried, as a whole or by the run of one of its hosts."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from bot.fleet import leg_run
from jobs.contract import FleetPlanned
from lab.simulated.dialect import Pace
from lab.simulated.fleet import named, running
from tests.flow.circle import Circle

ALICE = "U01ALICE"
HOSTS = ("connewitz", "lausen")


@pytest.fixture
def circle(redis: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Circle]:
    with running(named(HOSTS), tmp_path, Pace(upgrade=0, restart=0, boot=0, join=0)) as fleet:
        yield Circle(redis, fleet, monkeypatch)


def says(circle: Circle, text: str) -> None:
    circle.deliver(circle.types(ALICE, text))


def started(circle: Circle, text: str) -> str:
    """The fleet's run; its canary is queued."""
    before = circle.runs.open_runs()
    says(circle, text)
    (run,) = set(circle.runs.open_runs()) - set(before)
    circle.work("reads")
    circle.report()
    view = circle.runs.view(circle.runs.record(run))  # type: ignore[arg-type]
    seen = next(seen for seen in circle.sees() if f"run `{run}`" in seen.plain)
    circle.deliver(circle.presses(ALICE, seen, f"{run}:{view.record.jobs}", "start"))
    circle.report()
    return run


def ends(circle: Circle, run: str) -> str:
    """All works until nothing is left to do."""
    for _ in range(9):
        circle.report()
        circle.work("changes")
    circle.ahead += 15
    circle.report()
    return next(seen.plain for seen in circle.sees() if "whole fleet" in seen.plain and f"run `{run}`" in seen.plain)


def begun(circle: Circle, run: str) -> list[str]:
    return [host for host in HOSTS if circle.runs.record(leg_run(run, host))]


def inside(circle: Circle) -> set[str]:
    return {node.hostname for node in circle.fleet.world.swarm.nodes.values()}


def legs(circle: Circle, run: str) -> list[str]:
    planned = circle.runs.view(circle.runs.record(run)).fleet  # type: ignore[arg-type]
    assert isinstance(planned, FleetPlanned)
    return [leg.host for leg in planned.legs]


@pytest.mark.parametrize("whole", [True, False], ids=["the fleet", "a host's own run"])
def test_paused_and_resumed(circle: Circle, whole: bool) -> None:
    run = started(circle, "migrate all")
    held = run if whole else leg_run(run, "connewitz")
    says(circle, f"pause {held}")
    assert ("paused" if whole else "a host has a question") in ends(circle, run)
    assert (begun(circle, run), inside(circle)) == (["connewitz"], set())
    circle.ahead = 0
    says(circle, f"resume {held}")
    assert "2 hosts moved: 1 as managers, 1 as workers." in ends(circle, run)
    assert inside(circle) == set(HOSTS)


def test_a_host_paused_by_itself_and_then_with_its_fleet_goes_on_with_all(circle: Circle) -> None:
    run = started(circle, "migrate all")
    says(circle, f"pause {leg_run(run, 'connewitz')}")
    circle.work("changes")
    says(circle, f"pause {run}")
    assert "paused" in ends(circle, run)
    says(circle, f"resume {run}")
    assert "2 hosts moved" in ends(circle, run)


def test_cancelled_in_the_middle_and_retried_only_the_rest_is_done(circle: Circle) -> None:
    run = started(circle, "migrate all")
    circle.work("changes")
    circle.report()
    assert begun(circle, run) == ["connewitz", "lausen"]
    says(circle, f"cancel {run}")
    end = ends(circle, run)
    assert "cancelled, 1 of 2 hosts" in end
    assert "In the swarm: connewitz. Not begun: none." in end
    assert inside(circle) == {"connewitz"}
    again = started(circle, f"retry {run}")
    assert legs(circle, again) == ["lausen"]
    assert "1 hosts moved" in ends(circle, again)
    assert inside(circle) == set(HOSTS)


def test_a_canary_that_fails_stops_all_and_a_retry_begins_with_it(circle: Circle) -> None:
    run = started(circle, "migrate all")
    circle.fleet["connewitz"].apt_fails = True
    end = ends(circle, run)
    assert "In the swarm: none. Not begun: lausen." in end
    assert f"/swarm retry {run} goes on" in end
    assert begun(circle, run) == ["connewitz"]
    circle.fleet["connewitz"].apt_fails = False
    again = started(circle, f"retry {run}")
    assert "2 hosts moved" in ends(circle, again)


def test_whoever_started_it_is_taken_out_of_the_configuration(circle: Circle) -> None:
    """And the reporters are started again: the host that is being moved ends its step, and no further one begins."""
    run = started(circle, "migrate all")
    circle.work("changes")
    file = circle.fleet.folder / "imker.toml"
    file.write_text(file.read_text().replace('change = ["U01ALICE"]', 'change = ["U02BOB"]'))
    circle.restart_reporters()
    end = ends(circle, run)
    assert begun(circle, run) == ["connewitz"]
    assert inside(circle) == {"connewitz"}
    assert "the person who asked for it no longer has the right" in end
    assert "In the swarm: connewitz. Not begun: lausen." in end


def test_a_host_that_waits_in_the_queue_is_not_touched_then(circle: Circle) -> None:
    run = started(circle, "migrate all")
    file = circle.fleet.folder / "imker.toml"
    file.write_text(file.read_text().replace('change = ["U01ALICE"]', 'change = ["U02BOB"]'))
    circle.restart_reporters()
    end = ends(circle, run)
    assert (begun(circle, run), inside(circle)) == (["connewitz"], set())
    assert "Not begun: lausen" in end
