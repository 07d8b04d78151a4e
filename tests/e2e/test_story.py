"""The story on real hosts: what users type in the channel, and what happens to the hosts."""

from collections.abc import Iterator

import pytest

from lab.fleet import machine
from lab.fleet.daemon_option_files import DAEMON_JSON_PATH, DEFAULTS_PATH
from lab.fleet.hosts import LabHost
from lab.slack.client import VisibleMessage, Workspace
from lab.story import ALICE, OPS, Story
from tests.e2e.support.deployment import run_on, start_deployment

pytestmark = [pytest.mark.fleet, pytest.mark.timeout(400)]


@pytest.fixture
def workspace(legacy: tuple[LabHost, ...]) -> Iterator[Workspace]:
    """Start a new Imker with a new fake Slack over hosts in their 2016 state."""
    with start_deployment() as imker:
        yield imker.workspace


def test_migrates_three_hosts_from_the_classic_swarm_into_swarm_mode(
    workspace: Workspace, legacy: tuple[LabHost, ...]
) -> None:
    story = Story(workspace)
    story.play_migrations(legacy)
    _hosts_are_as_promised()
    for host in legacy:
        again = story.run_command(f"/swarm migrate {host.name}", "nothing to do")
        store = ["Retire store"] if "/swarm retire" in again.plain_text else []
        assert again.buttons == ["Show nodes", *store]
    assert "SWMTKN" not in "".join(message.plain_text for message in workspace.visible_messages(ALICE, OPS))


def _hosts_are_as_promised() -> None:
    for name in ("connewitz", "tondi", "lausen"):
        assert run_on(name, "docker", "version", "--format", "{{.Server.Version}}").startswith("26.1")
        running = run_on(name, "docker", "ps", "--format", "{{.Names}}").split()
        assert {"web", "batch", "cache"} <= set(running)
        assert not {"swarm-agent", "swarm-agent-master", "consulnode01"} & set(running)
        assert "experimental" in run_on(name, "cat", "/etc/apt/sources.list.d/docker.list")
        assert run_on(name, "docker", "info", "--format", "{{.Swarm.LocalNodeState}}").strip() == "active"
    options = run_on("tondi", "cat", DEFAULTS_PATH)
    assert "cluster-" not in options
    assert "--tlsverify" in options
    assert "--label instance=large" in options
    assert "deprecated upstream" in options, "the maintainer's file, with the options put back"
    saved = run_on("tondi", "sh", "-c", f"cat {DEFAULTS_PATH}.imker-*")
    assert "--cluster-store=consul://198.18.0.64:8500" in saved
    assert "live-restore" not in run_on("lausen", "cat", DAEMON_JSON_PATH)
    assert run_on("lausen", "docker", "ps", "-a", "--format", "{{.Names}}").count("consulnode01") == 1, "its data stays"


def is_failed_run(message: VisibleMessage) -> bool:
    """Return whether this is the message of a failed run, not its alert."""
    return message.text.startswith("❌") and not message.thread_ts


def test_rolls_back_when_the_engine_does_not_restart(workspace: Workspace, legacy: tuple[LabHost, ...]) -> None:
    """Break connewitz' new Engine in a way that no plan can detect: a dockerd that exits immediately."""
    version = "$(dpkg-query -W -f '${Version}' docker.io)"
    broken = f'#!/bin/sh\ncase {version} in 26*) exit 1;; esac\nexec /usr/sbin/dockerd "$@"\n'
    machine.run_on_host(
        "connewitz", "sh", "-c", "cat > /usr/local/bin/wrapped; chmod +x /usr/local/bin/wrapped", stdin=broken
    )
    unit = "/etc/systemd/system/docker.service"
    machine.run_on_host(
        "connewitz", "sed", "-i", "s#ExecStart=/usr/sbin/dockerd#ExecStart=/usr/local/bin/wrapped#", unit
    )
    before = run_on("connewitz", "cat", unit)
    workspace.say(ALICE, OPS, "/swarm migrate connewitz --manager")
    message = workspace.wait_for_message(ALICE, OPS, is_failed_run, 300)
    assert "did not restart" in message.plain_text
    assert "[error] Restart the Engine" in message.plain_text
    assert run_on("connewitz", "docker", "version", "--format", "{{.Server.Version}}").startswith("20.10")
    assert run_on("connewitz", "cat", unit) == before
    assert "main" in run_on("connewitz", "cat", "/etc/apt/sources.list.d/docker.list").split()
    assert {"web", "cache", "batch"} <= set(run_on("connewitz", "docker", "ps", "--format", "{{.Names}}").split())
