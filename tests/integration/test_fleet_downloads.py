"""Download a fleet's packages ahead: approved by Start, bounded by the fleet, and never an error."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from imker.audit_log import AuditLog
from imker.protocol.run_id import host_run_id
from jobs.execute.polling import wait_for
from lab.simulated.apt import DOWNLOAD_UNIT
from lab.simulated.engine_versions import Pace
from lab.simulated.fleet import run_fleet, select_hosts
from tests.integration.test_fleet_control import ends, says, started
from tests.support.in_process_stack import InProcessStack

HOSTS = ("connewitz", "tondi", "lausen")
AHEAD = ("tondi", "lausen")
PACKAGES = {"docker.io=26.1.5+dfsg1-9+lab1", "docker-cli=26.1.5+dfsg1-9"}
SLOW = 60.0  # seconds of a download that is stopped before it ends


@pytest.fixture
def circle(
    request: pytest.FixtureRequest, redis: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[InProcessStack]:
    pace = Pace(upgrade=0, download=getattr(request, "param", 0), restart=0, boot=0, join=0)
    with run_fleet(select_hosts(HOSTS), tmp_path, pace) as fleet:
        yield InProcessStack(redis, fleet, monkeypatch)


def start_downloads(circle: InProcessStack) -> str:
    """Start a fleet, and let the RQ workers take its downloads before its first host."""
    run = started(circle, "migrate all")
    let_downloads_run(circle)
    return run


def let_downloads_run(circle: InProcessStack) -> None:
    canary = circle.redis.lpop("rq:queue:changes")
    circle.run_job("changes")
    circle.redis.rpush("rq:queue:changes", canary)


def is_downloading(circle: InProcessStack) -> dict[str, bool]:
    return {name: circle.fleet[name].units.is_running(DOWNLOAD_UNIT) for name in HOSTS}


def is_failed(circle: InProcessStack, name: str) -> bool:
    unit = circle.fleet[name].units.get(DOWNLOAD_UNIT)
    return unit is not None and unit.active_state == "failed"


def test_plan_says_what_is_downloaded(circle: InProcessStack) -> None:
    says(circle, "migrate all")
    circle.run_job("reads")
    circle.reconcile()
    message = next(
        candidate for candidate in circle.visible_messages() if "`/swarm migrate all" in candidate.plain_text
    )
    assert "While the first host is migrated, 2 hosts download their packages: docker.io=26.1.5" in message.plain_text
    assert "Nothing else changes on them before their turn." in message.plain_text


def test_downloads_nothing_before_start(circle: InProcessStack) -> None:
    says(circle, "migrate all")
    circle.run_job("reads")
    circle.reconcile()
    assert not circle.run_job("changes")


def test_downloads_on_the_other_hosts_and_changes_nothing_else_there(circle: InProcessStack) -> None:
    before = {name: dict(circle.fleet[name].disk.texts) for name in AHEAD}
    start_downloads(circle)
    assert circle.fleet["connewitz"].archives == set(), "its own run downloads"
    for name in AHEAD:
        machine = circle.fleet[name]
        assert wait_for(lambda machine=machine: machine.archives == PACKAGES, 5)
        changed = {path for path, text in machine.disk.texts.items() if before[name].get(path) != text}
        assert changed == {"/var/lib/imker/fence"}
        assert machine.engine_version == "20.10.24"


def test_every_download_is_in_the_audit_log_with_who_approved_it(circle: InProcessStack) -> None:
    start_downloads(circle)
    entries = [entry.fact.details for entry in AuditLog(circle.redis).entries()]
    (began,) = [details for details in entries if details.get("command") == "download"]
    assert began["approved"] == "U01ALICE"
    assert {details.get("step") for details in entries if details.get("outcome") == "done"} >= {
        f"Download {name}" for name in AHEAD
    }


@pytest.mark.parametrize("circle", [SLOW], indirect=True)
@pytest.mark.parametrize("word", ["pause", "cancel"])
def test_downloads_stop_with_the_fleet(circle: InProcessStack, word: str) -> None:
    run = start_downloads(circle)
    assert is_downloading(circle) == {"connewitz": False, "tondi": True, "lausen": True}
    says(circle, f"{word} {run}")
    ends(circle, run)
    assert not any(is_downloading(circle).values())
    assert all(circle.fleet[name].archives == set() for name in HOSTS)


@pytest.mark.parametrize("circle", [SLOW], indirect=True)
def test_downloads_stop_after_a_failure(circle: InProcessStack) -> None:
    run = start_downloads(circle)
    circle.fleet["connewitz"].apt_fails = True
    assert "Not started: `tondi`, `lausen`." in ends(circle, run)
    assert not any(is_downloading(circle).values())


@pytest.mark.parametrize("word", ["pause", "cancel"])
def test_a_held_fleet_starts_no_download(circle: InProcessStack, word: str) -> None:
    run = started(circle, "migrate all")
    says(circle, f"{word} {run}")
    ends(circle, run)
    assert all(circle.fleet[name].archives == set() for name in HOSTS)


@pytest.mark.parametrize("circle", [SLOW], indirect=True)
def test_a_host_ends_its_download_when_its_own_run_upgrades(circle: InProcessStack) -> None:
    run = start_downloads(circle)
    end = ends(circle, run)
    assert "3 of 3 hosts" in end
    assert not any(is_downloading(circle).values())
    assert circle.fleet["lausen"].engine_version == "26.1.5"


def test_a_failed_download_is_a_note_in_the_thread(circle: InProcessStack) -> None:
    run = started(circle, "migrate all")
    circle.fleet["lausen"].apt_fails = True
    let_downloads_run(circle)
    assert wait_for(lambda: is_failed(circle, "lausen"), 5)
    circle.fleet["lausen"].apt_fails = False
    assert "3 of 3 hosts" in ends(circle, run)
    thread = [message.plain_text for message in circle.visible_messages() if message.thread_ts]
    assert any("the packages were not downloaded ahead" in text for text in thread)


def test_a_forged_start_downloads_nothing(circle: InProcessStack) -> None:
    """The job compares the approval with the question that the fleet's own run asked."""
    run = started(circle, "migrate all")
    circle.redis.delete(f"run:{run}:events")
    circle.redis.lpop("rq:queue:changes")
    circle.run_job("changes")
    assert all(circle.fleet[name].archives == set() for name in HOSTS)
    assert circle.runs.record(host_run_id(run, "tondi")) is None
