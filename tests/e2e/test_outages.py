"""Connections, Redis, or the leader fail during a migration: reported in time, and completed by a retry."""

import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from imker.protocol.events import JobFinished
from jobs.connectors import files
from lab.fleet import fleet, machine
from tests.e2e.support.deployment import Deployment, is_upgrading, run_on, wait_until
from tests.e2e.support.host import HOST, MIGRATE, assert_migrated

pytestmark = [pytest.mark.fleet, pytest.mark.long, pytest.mark.timeout(500)]
REPORT_TIMEOUT = 90  # seconds until an unreachable host has to be reported
LEADER = "connewitz"


def unpacking() -> bool:
    """Return whether dpkg is unpacking the Engine, after all downloads."""
    return is_upgrading(HOST) and " upgrade docker.io" in run_on(HOST, "cat", "/var/log/dpkg.log")


def restarting() -> bool:
    """Return whether the first command of the step has finished.

    Before that, a lost connection leaves nothing unknown.
    """
    return machine.run_on_host(HOST, "test", "-e", files.RUNNING_CONTAINERS_FILE).returncode == 0


@pytest.mark.parametrize(("step", "in_progress"), [("UpgradeEngine", unpacking), ("RestartEngine", restarting)])
def test_reports_a_host_that_drops_all_packets(imker: Deployment, step: str, in_progress: Callable[[], bool]) -> None:
    message = imker.send_command(MIGRATE)
    imker.wait_for_step(message, step)
    wait_until(in_progress)
    machine.drop_packets(HOST)
    started_at = time.monotonic()
    failed = imker.wait_until_finished(message)
    assert time.monotonic() - started_at < REPORT_TIMEOUT
    assert failed.text.startswith("❌"), failed.plain_text
    assert "outcome unknown" in failed.plain_text
    assert f"reachable again, type /swarm migrate {HOST}" in failed.plain_text.replace("`", "")
    assert "Try again" in failed.buttons
    wait_until(lambda: not is_upgrading(HOST))  # it continued on the host
    machine.drop_packets(HOST, drop=False)
    again = imker.wait_until_finished(imker.send_command(f"/swarm retry {imker.run_id_of(message)}"))
    assert again.text.startswith("✅"), again.plain_text
    assert_migrated()


def test_completes_when_redis_is_killed_during_the_upgrade(imker: Deployment) -> None:
    message = imker.send_command(MIGRATE)
    wait_until(lambda: is_upgrading(HOST))
    before = int(imker.redis.info("server")["process_id"])
    os.kill(before, signal.SIGKILL)
    result = imker.wait_until_finished(message)
    assert result.text.startswith("✅"), result.plain_text
    assert int(imker.redis.info("server")["process_id"]) != before
    ends = [body for body in imker.event_bodies(imker.run_id_of(message)) if isinstance(body, JobFinished)]
    assert [(end.outcome, end.summary) for end in ends] == [("done", f"{HOST} joined the swarm.")], (
        "exactly one outcome"
    )
    assert "/swarm retire lausen" in ends[0].hint, "no other host uses the key-value store"
    assert_migrated()


@pytest.fixture
def swarm(imker: Deployment) -> Iterator[None]:
    """Create a swarm on the leader, and reset it after the test."""
    assert imker.wait_until_finished(imker.send_command(f"/swarm migrate {LEADER} --manager")).text.startswith("✅")
    yield
    fleet.reset([LEADER])


@pytest.mark.usefixtures("swarm")
def test_a_retry_completes_after_the_leader_dies_during_a_join(imker: Deployment) -> None:
    """Close the leader's join port first, so that the join is in progress when the leader dies."""
    message = imker.send_command(f"/swarm migrate {HOST} --worker")
    imker.wait_for_step(message, "RestartEngine")
    run_on(LEADER, "iptables", "-I", "INPUT", "-p", "tcp", "--dport", "2377", "-j", "DROP")
    imker.wait_for_step(message, "JoinSwarm")
    machine.kill_host(LEADER)
    failed = imker.wait_until_finished(message)
    assert failed.text.startswith("❌"), failed.plain_text
    assert f"Completed on `{HOST}`:" in failed.plain_text
    assert "Not done: Join the swarm" in failed.plain_text
    fleet.reboot([LEADER])
    again = imker.wait_until_finished(imker.send_command(f"/swarm retry {imker.run_id_of(message)}"))
    assert again.text.startswith("✅"), again.plain_text
    assert_migrated()
    nodes = imker.wait_until_finished(imker.send_command("/swarm nodes")).plain_text
    assert nodes.count(HOST) == 1, "no stale node is left of the failed join"
