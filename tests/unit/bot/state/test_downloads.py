"""Test when a fleet's packages are downloaded ahead, and when the downloads stop."""

from dataclasses import replace

import pytest
from hypothesis import given

from bot.state.downloads import DOWNLOAD_TTL, download_request
from bot.state.fleet_order import may_start
from bot.state.fleet_state import FleetState
from imker.protocol.commands import DownloadPackages, StopDownloads
from tests.support.fleet_states import AT, BOB, FLEET, Word, build_fleet, host_plan
from tests.unit.bot.state.test_fleet_state import any_fleet

PACKAGES = ("docker.io=26.1.5",)
DOWNLOAD, STOP = DownloadPackages, StopDownloads


def fleet_of(*words: Word, started: bool = True, hold: str = "") -> FleetState:
    plans = [replace(host_plan(f"h{n}", wave=min(n, 1)), packages=PACKAGES if n else ()) for n in range(len(words))]
    return build_fleet(list(zip(plans, words, strict=True)), started=started, hold=hold)


CASES: list[tuple[str, FleetState, object]] = [
    ("before the start", fleet_of("pending", "pending", started=False), None),
    ("with the first host", fleet_of("pending", "pending", "pending"), DOWNLOAD(("h1", "h2"))),
    ("while the first host runs", fleet_of("running", "pending"), DOWNLOAD(("h1",))),
    ("after the first host", fleet_of("done", "running", "pending"), None),
    ("while the first host asks", fleet_of("continue", "pending"), None),
    ("paused", fleet_of("running", "pending", hold="pause"), STOP(("h1",))),
    ("paused later", fleet_of("done", "running", "pending", hold="pause"), STOP(("h2",))),
    ("resumed", fleet_of("running", "pending", hold="resume"), DOWNLOAD(("h1",))),
    ("cancelled", fleet_of("running", "pending", hold="cancel"), STOP(("h1",))),
    ("failed", fleet_of("failed", "pending"), STOP(("h1",))),
    ("failed, another one runs", fleet_of("done", "failed", "running", "pending"), STOP(("h3",))),
    ("no host follows", fleet_of("failed", "done"), None),
]


@pytest.mark.parametrize(("title", "fleet", "expected"), CASES, ids=[case[0] for case in CASES])
def test_downloads(title: str, fleet: FleetState, expected: object) -> None:
    request = download_request(fleet)
    assert (request.command if request else None) == expected


def test_the_request_has_the_start_as_its_approval_and_only_these_hosts() -> None:
    request = download_request(fleet_of("running", "pending", "pending"))
    assert request is not None
    assert [(approval.user, approval.approved_at) for approval in request.approvals] == [(BOB, AT + 5)]
    assert (request.parent_run, request.allowed_hosts) == (FLEET, ("h1", "h2"))
    assert request.run not in (FLEET, *(f"run-h{n}" for n in range(3)))


@pytest.mark.parametrize("hold", ["", "cancel"])
def test_requests_nothing_when_all_downloads_must_have_ended(hold: str) -> None:
    fleet = fleet_of("running", "pending", hold=hold)
    late = replace(fleet, run=replace(fleet.run, now=AT + 5 + DOWNLOAD_TTL + 1))
    assert download_request(late) is None


@given(any_fleet())
def test_nothing_is_downloaded_while_nothing_may_start(fleet: FleetState) -> None:
    hosts = tuple(replace(host, plan=replace(host.plan, packages=PACKAGES)) for host in fleet.hosts)
    request = download_request(replace(fleet, hosts=hosts))
    if request:
        assert isinstance(request.command, DownloadPackages if may_start(fleet) else StopDownloads)
        assert set(request.command.hosts) == {host.plan.host for host in fleet.with_status("pending")}
