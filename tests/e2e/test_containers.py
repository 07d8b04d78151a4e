"""compose.yaml on a real Engine, with the image built there: read-only, not as root, and stopped by SIGTERM."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from redis import Redis

from imker_cli.supervisor import PROCESSES
from lab.fleet import fleet
from lab.fleet.hosts import BY_NAME, GATEWAY, LabHost
from lab.processes import Processes
from lab.slack.server_process import run_fake_slack
from tests.e2e.support.compose import VALKEY_PORT, compose, configure, inspect, install, publish_valkey
from tests.e2e.support.deployment import Deployment, run_on, wait_until

pytestmark = [pytest.mark.fleet, pytest.mark.long, pytest.mark.timeout(900)]
HOST, TARGET = "connewitz", "tondi"
SERVICES = (*PROCESSES, "valkey")
ALL_PASS = [["pass", f"{part}:"] for part in ("redis", "bot", "reconciler", "changes", "reads")]


@pytest.fixture(scope="module")
def folder(hosts: tuple[LabHost, ...], images: Path) -> Path:
    """Install what docs/install.md asks for on a host, and return the folder with compose.yaml."""
    fleet.reset([HOST, TARGET])
    installed = install(HOST, images)
    configure(HOST, installed, [BY_NAME[TARGET]])
    publish_valkey(installed, f"{BY_NAME[HOST].address}:{VALKEY_PORT}")
    return installed


@pytest.fixture(scope="module")
def imker(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Start Imker, and check its log after the tests."""
    log = tmp_path_factory.mktemp("compose") / "log"
    log.touch()
    with run_fake_slack(address=GATEWAY) as slack:
        compose(HOST, "up", "--detach", "--no-build", "--wait", slack=slack.url)
        yield Deployment(slack, Processes({}, log), log, Redis())
        text = compose(HOST, "logs")
    assert "Traceback" not in text
    assert "SWMTKN" not in text
    fleet.reset([HOST])


def test_compose_runs_imker_in_sandboxes_that_stop_in_time(imker: Deployment) -> None:
    listed = imker.wait_until_finished(imker.send_command("/swarm hosts"))
    assert TARGET in listed.plain_text
    message = imker.wait_until_finished(imker.send_command(f"/swarm plan {TARGET} --manager"))
    assert "Upgrade the Engine" in message.plain_text, message.plain_text
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
    details = inspect(HOST, service)
    assert details["State"]["Health"]["Status"] == "healthy"
    assert details["HostConfig"]["ReadonlyRootfs"]
    status = run_on(HOST, "cat", f"/proc/{details['State']['Pid']}/status")
    rows = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert "0" not in rows["Uid"].split(), "no root"
    assert (int(rows["CapBnd"], 16), int(rows["CapEff"], 16), rows["NoNewPrivs"]) == (0, 0, "1")
    assert "xoxb-lab" not in json.dumps(details)


def test_a_stack_runs_bot_and_reconciler_as_services(imker: Deployment, folder: Path) -> None:
    compose(HOST, "stop", "bot", "reconciler")
    wait_until(lambda: imker.workspace.connection_count() == 0)
    run_on(HOST, "docker", "swarm", "init", "--advertise-addr", BY_NAME[HOST].address)
    run_on(HOST, "docker", "config", "create", "imker_toml", "/srv/imker/deploy/imker.toml")
    for secret in yaml.safe_load((folder / "stack.yaml").read_text())["secrets"]:
        file = f"/srv/imker/deploy/secrets/{secret.removeprefix('imker_')}"
        run_on(HOST, "docker", "secret", "create", secret, file)
    variables = ("IMKER_IMAGE=imker", f"SLACK_API_URL={imker.workspace.url}/api/")
    deploy = ("docker", "stack", "deploy", "--resolve-image", "never", "-c", "/srv/imker/deploy/stack.yaml", "imker")
    run_on(HOST, "env", *variables, *deploy)
    wait_until(lambda: imker.workspace.connection_count() == 1)
    listed = imker.wait_until_finished(imker.send_command("/swarm hosts"))
    assert TARGET in listed.plain_text
    run_on(HOST, "docker", "stack", "rm", "imker")
    wait_until(lambda: imker.workspace.connection_count() == 0)
    compose(HOST, "start", "bot", "reconciler")
    wait_until(lambda: imker.workspace.connection_count() == 1)
