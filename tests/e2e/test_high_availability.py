"""Imker on five hosts, as docs/high-availability.md sets it up: hosts lose power, and the others continue."""

import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from redis import Redis

from lab.fleet import fleet, machine
from lab.fleet.hosts import BY_NAME, GATEWAY, LabHost
from lab.fleet.shell import sh
from lab.processes import Processes
from lab.slack.client import VisibleMessage
from lab.slack.server_process import run_fake_slack
from lab.story import ALICE, OPS
from tests.e2e.conftest import HOST_NAMES
from tests.e2e.support.compose import VALKEY_PORT, compose, configure, install, publish_valkey
from tests.e2e.support.deployment import Deployment, is_upgrading, run_on, wait_until
from tests.e2e.support.host import HOST, MIGRATE, assert_migrated
from tests.support.figures import record_figure

pytestmark = [pytest.mark.fleet, pytest.mark.long, pytest.mark.timeout(1200)]
BOTS, WORKERS, REDIS_HOST = ("kaditz", "lindenau"), ("pirita", "tolkewitz"), "miltitz"
SERVICES = {
    REDIS_HOST: ("valkey",),
    **dict.fromkeys(BOTS, ("bot", "reconciler")),
    **dict.fromkeys(WORKERS, ("changes", "reads")),
}
REDIS_ADDRESS = f"{BY_NAME[REDIS_HOST].address}:{VALKEY_PORT}"
REPORT_TIMEOUT = 90  # seconds until a run is shown as lost, or another process has taken over


@pytest.fixture
def placed(hosts: tuple[LabHost, ...], images: Path) -> Iterator[Path]:
    """Boot five hosts beside the three, and give each the images and the same configuration. Return the secrets."""
    fleet.reset([HOST])
    fleet.up(SERVICES)
    with ThreadPoolExecutor(len(SERVICES)) as pool:
        folders = dict(zip(SERVICES, pool.map(lambda host: install(host, images), SERVICES), strict=True))
    first = folders[REDIS_HOST]
    configure(REDIS_HOST, first, [BY_NAME[HOST]])
    publish_valkey(first, REDIS_ADDRESS)
    for folder in set(folders.values()) - {first}:
        shutil.copytree(first, folder, dirs_exist_ok=True)
        (folder / "compose.override.yaml").unlink()
        sh("chown", "-R", "10001:10001", folder / "hosts")
    yield first / "secrets"
    fleet.down()
    fleet.up(HOST_NAMES)


@pytest.fixture
def imker(placed: Path, tmp_path: Path) -> Iterator[Deployment]:
    log = tmp_path / "log"
    log.touch()
    with (
        run_fake_slack(address=GATEWAY) as slack,
        Redis.from_url((placed / "redis_url_admin").read_text()) as redis,
    ):
        for host, services in SERVICES.items():
            compose(host, "up", "--detach", "--no-build", "--no-deps", *services, slack=slack.url)
            if host == BOTS[0]:
                wait_until(lambda: bool(redis.get("bot:reconciler")))  # its reconciler leads
        wait_until(lambda: slack.connection_count() == len(BOTS))
        wait_until(lambda: len(list(redis.scan_iter("rq:worker:*"))) == 3 * len(WORKERS))
        yield Deployment(slack, Processes({"IMKER_SIGNING_KEY": (placed / "signing_key").read_text()}, log), log, redis)


def cut_power(host: str) -> None:
    """Cut the host off the network first, so that its peers learn nothing, and then kill it."""
    sh("ip", "link", "set", f"vb-{host}", "down")
    machine.kill_host(host)


def working_host() -> str:
    """Return the host of the RQ worker that has an SSH connection to the target."""
    peers = run_on(HOST, "ss", "-Htn", "state", "established", "sport", "= :22")
    (name,) = {name for name in WORKERS if f"{BY_NAME[name].address}:" in peers}
    return name


def test_continues_when_hosts_of_each_process_lose_power(imker: Deployment) -> None:
    message = imker.send_command(MIGRATE)
    wait_until(lambda: is_upgrading(HOST))
    cut_power(working_host())
    began = time.monotonic()
    imker.wait_for_text(message, "The RQ worker stopped")
    record_figure("host of an RQ worker without power: run shown as lost", f"{time.monotonic() - began:.0f} s")
    assert time.monotonic() - began < REPORT_TIMEOUT
    imker.press_button(ALICE, message, "Try again")
    again = newest(imker, message)
    imker.wait_for_step(again, "RestartEngine")

    cut_power(BOTS[0])
    began = time.monotonic()
    result = imker.wait_until_finished(again)
    assert result.text.startswith("✅"), result.plain_text
    record_figure("host of bot and reconciler without power: run finished after", f"{time.monotonic() - began:.0f} s")
    assert_migrated()
    wait_until(lambda: imker.workspace.say(ALICE, OPS, "/swarm hosts")["acked"])
    listed = imker.wait_until_finished(newest(imker, again))
    assert "1 of 1 host" in listed.plain_text or HOST in listed.plain_text
    assert time.monotonic() - began < REPORT_TIMEOUT
    posts = [each for each in imker.workspace.visible_messages(ALICE, OPS) if not each.thread_ts]
    assert len({each.ts for each in posts if f"run `{imker.run_id_of(again)}`" in each.plain_text}) == 1


def newest(imker: Deployment, after: VisibleMessage) -> VisibleMessage:
    return imker.workspace.wait_for_message(
        ALICE, OPS, lambda each: not each.thread_ts and each.ts > after.ts and "run `" in each.plain_text, 60
    )
