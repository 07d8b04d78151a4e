"""Migrate real hosts whose Engine opens no TCP port."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from lab.fleet import fleet
from lab.fleet.hosts import BY_NAME, LabHost
from tests.e2e.conftest import HOST_NAMES
from tests.e2e.support.deployment import Deployment, run_on, start_deployment

pytestmark = [pytest.mark.fleet, pytest.mark.long, pytest.mark.timeout(400)]


@pytest.fixture
def over_ssh(hosts: tuple[LabHost, ...]) -> Iterator[Deployment]:
    """Start a new Imker with hosts that have no TCP port. Other tests get hosts that have one."""
    with pytest.MonkeyPatch.context() as patch:
        for name in HOST_NAMES:
            patch.setitem(BY_NAME, name, replace(BY_NAME[name], engine_over="ssh"))
        fleet.reset(HOST_NAMES)
        with start_deployment() as started:
            yield started
    fleet.reset(HOST_NAMES)


def test_migrates_real_hosts_over_ssh(over_ssh: Deployment) -> None:
    over_ssh.wait_until_finished(over_ssh.send_command("/swarm migrate connewitz --manager"))
    joined = over_ssh.wait_until_finished(over_ssh.send_command("/swarm migrate tondi --worker"))
    assert joined.text.startswith("✅"), joined.plain_text
    nodes = over_ssh.wait_until_finished(over_ssh.send_command("/swarm nodes"))
    assert nodes.text.startswith("✅ 2 nodes, all Ready"), nodes.text
    for name in ("connewitz", "tondi"):
        assert ":2376" not in run_on(name, "ss", "-Hltn")
        assert run_on(name, "docker", "version", "-f", "{{.Server.Version}}").startswith("26.1")
