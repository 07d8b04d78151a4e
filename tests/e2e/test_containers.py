"""compose.yaml on a real Engine, with the image built there: read-only, not as root, and stopped by SIGTERM."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from imker_cli.supervisor import PROCESSES
from lab.fleet import fleet
from lab.fleet.hosts import BY_NAME, GATEWAY, LabHost
from lab.processes import Processes
from lab.slack.client import Workspace
from lab.slack.server_process import run_fake_slack
from tests.e2e.support.compose import compose, configure, inspect, install
from tests.e2e.support.deployment import Deployment, run_on, wait_until

pytestmark = [pytest.mark.fleet, pytest.mark.long, pytest.mark.timeout(900)]
HOST, TARGET = "connewitz", "tondi"
SERVICES = (*PROCESSES, "valkey")
ALL_PASS = [["pass", f"{part}:"] for part in ("redis", "bot", "reconciler", "changes", "reads")]


@pytest.fixture(scope="module")
def slack() -> Iterator[Workspace]:
    with run_fake_slack(address=GATEWAY) as workspace:
        yield workspace


@pytest.fixture
def imker(hosts: tuple[LabHost, ...], images: Path, slack: Workspace, tmp_path: Path) -> Iterator[Deployment]:
    """Start Imker with the commands of docs/install.md, and check its log after the test."""
    fleet.reset([HOST, TARGET])
    configure(HOST, install(HOST, images), [BY_NAME[TARGET]])
    compose(HOST, "up", "--detach", "--no-build", "--wait", slack=slack.url)
    log = tmp_path / "log"
    log.touch()
    yield Deployment(slack, Processes({}, log), log, Redis())
    text = compose(HOST, "logs")
    assert "Traceback" not in text
    assert "SWMTKN" not in text
    fleet.reset([HOST])


def test_compose_runs_imker_in_sandboxes_that_stop_in_time(imker: Deployment) -> None:
    listed = imker.wait_until_finished(imker.send_command("/swarm hosts"))
    assert TARGET in listed.plain_text
    planned = imker.wait_until_finished(imker.send_command(f"/swarm plan {TARGET} --manager"))
    assert "Upgrade the Engine" in planned.plain_text, planned.plain_text
    health = run_on(HOST, "docker", "exec", "imker-bot-1", "imker", "health")
    assert [line.split()[:2] for line in health.splitlines()] == ALL_PASS
    for service in SERVICES:
        assert_is_sandbox(service)
    compose(HOST, "stop")
    assert {service: inspect(HOST, service)["State"]["ExitCode"] for service in SERVICES} == dict.fromkeys(SERVICES, 0)
    compose(HOST, "start")
    wait_until(lambda: imker.workspace.connection_count() > 0)
    listed = imker.wait_until_finished(imker.send_command("/swarm hosts"))
    assert TARGET in listed.plain_text


def assert_is_sandbox(service: str) -> None:
    found = inspect(HOST, service)
    assert found["State"]["Health"]["Status"] == "healthy"
    assert found["HostConfig"]["ReadonlyRootfs"]
    status = run_on(HOST, "cat", f"/proc/{found['State']['Pid']}/status")
    rows = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert "0" not in rows["Uid"].split(), "no root"
    assert (int(rows["CapBnd"], 16), int(rows["CapEff"], 16), rows["NoNewPrivs"]) == (0, 0, "1")
    assert "xoxb-lab" not in json.dumps(found)
