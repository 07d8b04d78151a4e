"""Start a fleet's hosts once each, even if several processes try at the same time, or one of them crashes."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from imker.failpoints import Failpoint
from lab.simulated.engine_versions import Pace
from lab.simulated.fleet import run_fleet, select_hosts
from tests.integration.test_fleet_control import ends, says, started
from tests.support.in_process_stack import InProcessStack

HOSTS = ("connewitz", "lindenau", "miltitz", "pirita")
WAVE = HOSTS[1:]


@pytest.fixture
def circle(redis: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InProcessStack]:
    pace = Pace(upgrade=0, download=0, restart=0, boot=0, join=0)
    with run_fleet(select_hosts(HOSTS), tmp_path, pace) as fleet:
        stack = InProcessStack(redis, fleet, monkeypatch)
        config = fleet.folder / "imker.toml"
        config.write_text(config.read_text() + "\n[fleet]\nparallel = 8\n")
        yield stack


def after_the_canary(circle: InProcessStack) -> str:
    """Start a fleet and migrate its first host. The downloads have run too."""
    run = started(circle, "migrate all")
    while circle.run_job("changes"):
        pass
    return run


def queued(circle: InProcessStack) -> list[str]:
    return [job.decode() for job in circle.redis.lrange("rq:queue:changes", 0, -1)]


def test_a_whole_wave_starts_at_once(circle: InProcessStack) -> None:
    after_the_canary(circle)
    circle.reconcile()
    assert len(queued(circle)) == len(WAVE)


def test_several_reconcilers_at_once_start_each_host_once(circle: InProcessStack) -> None:
    run = after_the_canary(circle)
    work = [circle.reconcilers[n % 2].fleets.advance_all for n in range(6)]
    threads = [threading.Thread(target=advance) for advance in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(set(queued(circle))) == sorted(queued(circle))
    assert len(queued(circle)) == len(WAVE)
    assert "4 hosts migrated" in ends(circle, run)


@pytest.mark.parametrize("time", [0, 1, 2])
@pytest.mark.parametrize("point", ["run.saved", "run.opened", "run.enqueued", "host.started"])
def test_a_killed_reconciler_leaves_no_host_out_and_starts_none_twice(
    circle: InProcessStack, point: Failpoint, time: int
) -> None:
    run = after_the_canary(circle)
    circle.reconcile(dies=(point, time))
    circle.advance_clock(6)  # by then, a recorded run without a job is enqueued again
    circle.reconcile(which=1)
    assert sorted(set(queued(circle))) == sorted(queued(circle))
    assert "4 hosts migrated" in ends(circle, run)
    joined = [action.host for action in circle.fleet.world.history.actions("join")]
    assert sorted(joined) == sorted(WAVE)


def test_starts_nothing_for_a_user_who_lost_the_right(circle: InProcessStack) -> None:
    """The fast path checks the rights too, before it starts the next hosts."""
    after_the_canary(circle)
    file = circle.fleet.folder / "imker.toml"
    file.write_text(file.read_text().replace('change = ["U01ALICE"]', 'change = ["U02BOB"]'))
    circle.restart_reconcilers()
    circle.reconcilers[0].fleets.advance_all()
    assert queued(circle) == []


def test_starts_nothing_while_another_reconciler_leads(circle: InProcessStack) -> None:
    after_the_canary(circle)
    circle.reconcilers[0].fleets.advance_all(lambda: False)
    assert queued(circle) == []


def test_a_cancelled_fleet_starts_no_host_of_the_wave(circle: InProcessStack) -> None:
    run = after_the_canary(circle)
    says(circle, f"cancel {run}")
    circle.reconcilers[0].fleets.advance_all()
    ends(circle, run)
    assert {node.hostname for node in circle.fleet.world.swarm.nodes.values()} == {"connewitz"}
