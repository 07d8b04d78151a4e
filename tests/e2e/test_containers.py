"""compose.yaml on a real Engine: the image is built without a network, and its processes are read-only and not root."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from imker_cli.supervisor import PROCESSES
from lab.fleet import client_files, fleet
from lab.fleet.hosts import BY_NAME, GATEWAY, LabHost
from lab.processes import Processes
from lab.slack.client import Workspace
from lab.slack.server_process import run_fake_slack
from lab.story import ALICE, OPS
from tests.e2e.support import image
from tests.e2e.support.deployment import Deployment, run_on

pytestmark = [pytest.mark.fleet, pytest.mark.long, pytest.mark.timeout(900)]
HOST, TARGET = "connewitz", "tondi"
KEYS = "/var/lib/imker"  # where compose.yaml mounts deploy/hosts
COMPOSE = ("docker", "compose", "-f", "/srv/imker/deploy/compose.yaml")
TOKENS = ("SLACK_BOT_TOKEN=xoxb-lab", "SLACK_APP_TOKEN=xapp-lab")


def write_configuration(repository: Path, hosts: list[LabHost]) -> None:
    """Write imker.toml and the key files of the hosts, with paths as the containers see them."""
    keys, config = repository / "deploy/hosts", repository / "deploy/imker.toml"
    client_files.write_client_files(keys, hosts)
    for path in (keys / "imker.toml", *keys.rglob("config.json")):
        path.write_text(path.read_text().replace(str(keys), KEYS))
    (keys / "imker.toml").rename(config)


@pytest.fixture(scope="module")
def slack() -> Iterator[Workspace]:
    with run_fake_slack(address=GATEWAY) as workspace:
        yield workspace


@pytest.fixture(scope="module")
def built(hosts: tuple[LabHost, ...]) -> Iterator[Path]:
    """Build the image on a host, and return /srv/imker there. The host is reset afterwards."""
    fleet.reset([HOST, TARGET])
    repository = image.copy_repository(HOST)
    image.build_images(HOST)
    image.install_compose(HOST)
    yield repository
    fleet.reset([HOST])


@pytest.fixture
def imker(built: Path, slack: Workspace, tmp_path: Path) -> Iterator[Deployment]:
    """Start Imker with the commands of docs/install.md."""
    write_configuration(built, [BY_NAME[TARGET]])
    run_on(HOST, "env", *TOKENS, "/srv/imker/deploy/create-secrets.sh")
    compose("up", "--detach", "--no-build", "--wait", url=slack.url)
    log = tmp_path / "log"
    log.touch()
    yield Deployment(slack, Processes({}, log), log, Redis())
    log.write_text(compose("logs"))
    assert "Traceback" not in log.read_text()
    compose("down", "--volumes")


def compose(*words: str, url: str = "") -> str:
    variables = (f"IMKER_IMAGE={image.IMAGE}", f"VALKEY_IMAGE={image.VALKEY_IMAGE}", f"SLACK_API_URL={url}/api/")
    return run_on(HOST, "env", *variables, *COMPOSE, *words)


def inspect(container: str) -> dict[str, Any]:
    (found,) = json.loads(run_on(HOST, "docker", "inspect", container))
    return dict(found)


def test_compose_runs_imker_read_only_and_not_as_root(imker: Deployment) -> None:
    listed = imker.wait_until_finished(imker.send_command("/swarm hosts"))
    assert f"`{TARGET}`" in listed.plain_text or TARGET in listed.plain_text
    planned = imker.wait_until_finished(imker.send_command(f"/swarm plan {TARGET} --manager"))
    assert "Upgrade the Engine" in planned.plain_text, planned.plain_text
    health = run_on(HOST, "docker", "exec", "imker-bot-1", "imker", "health")
    assert [line.split()[:2] for line in health.splitlines()] == [
        ["pass", part] for part in ("redis", "bot", "reconciler", "changes", "reads")
    ]
    for name in (*PROCESSES, "valkey"):
        found = inspect(f"imker-{name}-1")
        assert found["State"]["Health"]["Status"] == "healthy"
        assert found["HostConfig"]["ReadonlyRootfs"]
        top = run_on(HOST, "docker", "top", f"imker-{name}-1", "-eo", "uid,args").splitlines()[1:]
        assert top
        assert not any(line.split()[0] == "0" for line in top), top
        assert "xoxb-lab" not in json.dumps(found)


def test_each_process_stops_at_sigterm(imker: Deployment) -> None:
    compose("stop")
    codes = {name: inspect(f"imker-{name}-1")["State"]["ExitCode"] for name in (*PROCESSES, "valkey")}
    assert codes == dict.fromkeys((*PROCESSES, "valkey"), 0), compose("logs")
    compose("start")
    imker.workspace.wait_for_message(ALICE, OPS, lambda _: imker.workspace.connection_count() > 0, 60)
    assert imker.wait_until_finished(imker.send_command("/swarm hosts")).plain_text
