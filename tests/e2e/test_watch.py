"""A host loses power: the watch reports it once, and its return, without a command."""

import time
from collections.abc import Iterator

import pytest

from bot.runs.watch_store import WatchStore
from bot.watch.model import WatchState
from lab.fleet import fleet, machine
from lab.slack.client import VisibleMessage
from lab.story import ALICE, OPS
from tests.e2e.support.deployment import Deployment, wait_until
from tests.e2e.support.host import HOST
from tests.support import streams
from tests.support.figures import record_figure

pytestmark = [pytest.mark.fleet, pytest.mark.long, pytest.mark.timeout(600)]
LEADER = "connewitz"
REPORT_TIMEOUT = 150  # seconds until a host without power has to be reported


@pytest.fixture
def swarm(imker: Deployment) -> Iterator[Deployment]:
    """Create a swarm of two nodes, and reset the leader after the test."""
    for command in (f"/swarm migrate {LEADER} --manager", f"/swarm migrate {HOST} --worker"):
        message = imker.wait_until_finished(imker.send_command(command))
        assert message.text[:1] in "✅⚠", message.plain_text
    yield imker
    fleet.reset([LEADER])


def watch_state(imker: Deployment) -> WatchState:
    return WatchStore(imker.redis, streams.embedded_signing_key(imker.redis)).state()


def incidents(imker: Deployment) -> list[VisibleMessage]:
    messages = imker.workspace.visible_messages(ALICE, OPS)
    return [each for each in messages if f"{HOST}` is" in each.plain_text and "run `" not in each.plain_text]


def test_reports_a_host_that_loses_power_once_and_its_return(swarm: Deployment) -> None:
    wait_until(lambda: watch_state(swarm).nodes == 2)
    assert incidents(swarm) == []
    machine.kill_host(HOST)
    started_at = time.monotonic()
    wait_until(lambda: bool(incidents(swarm)))
    seconds = time.monotonic() - started_at
    record_figure("a host without power is reported", f"{seconds:.0f} s")
    assert seconds < REPORT_TIMEOUT
    (message,) = incidents(swarm)
    assert "1 of 1 manager is reachable: the swarm survives the loss of none of them." in message.plain_text
    assert message.buttons == ["Nodes", "Doctor", "Mute 2 h"]
    fleet.reboot([HOST])
    swarm.wait_for_text(message, "is Ready again")
    observed_at = watch_state(swarm).observed_at
    wait_until(lambda: watch_state(swarm).observed_at > observed_at)
    (message,) = incidents(swarm)
    assert message.text.startswith("✅"), message.plain_text
