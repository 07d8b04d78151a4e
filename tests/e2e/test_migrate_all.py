"""The whole fleet with one command: its containers are as before, and a second command has nothing to do."""

import re
from collections.abc import Iterator

import pytest

from jobs.connectors import fenced_shell, swarm_label
from jobs.connectors.shell import script
from jobs.execute.downloads import DOWNLOAD_UNIT
from jobs.locking.fencing_token import FencingToken
from lab.fleet import fleet, machine
from lab.fleet.hosts import FLEET, LabHost
from lab.slack.client import VisibleMessage
from lab.story import ALICE, BOB, OPS, Story
from tests.e2e.conftest import HOST_NAMES
from tests.e2e.support.deployment import Deployment, run_on, start_deployment
from tests.e2e.support.expected_state import container_details

pytestmark = [pytest.mark.fleet, pytest.mark.timeout(600)]
ALL_NAMES = tuple(host.name for host in FLEET)
Containers = dict[str, tuple[str, ...]]
CLASSIC = {"swarm-agent", "swarm-agent-master"}
STORE = "consulnode01"
LABEL = '{{index .Swarm.Cluster.Spec.Labels "' + swarm_label.FENCE_LABEL + '"}}'


@pytest.fixture
def migrating(hosts: tuple[LabHost, ...], request: pytest.FixtureRequest) -> Iterator[tuple[LabHost, ...]]:
    """Reset hosts of these names to their 2016 state. Afterwards there are three hosts again."""
    fleet.reset(HOST_NAMES)
    yield fleet.up(request.param)
    if request.param != HOST_NAMES:
        fleet.down()
        fleet.up(HOST_NAMES)


@pytest.fixture
def imker(migrating: tuple[LabHost, ...]) -> Iterator[Deployment]:
    with start_deployment() as started:
        yield started


@pytest.mark.parametrize(
    "migrating",
    [pytest.param(HOST_NAMES, id="three"), pytest.param(ALL_NAMES, id="eight", marks=pytest.mark.long)],
    indirect=True,
)
def test_migrates_the_whole_fleet_and_preserves_its_containers(
    imker: Deployment, migrating: tuple[LabHost, ...]
) -> None:
    before = {host.name: container_details(host.name) for host in migrating}
    Story(imker.workspace).play_fleet(migrating)  # Start, Accept under each manager, the node table, "nothing to do"
    after = {host.name: container_details(host.name) for host in migrating}
    assert after == {name: expected_containers(matches) for name, matches in before.items()}
    managers = {host.name for host in migrating if host.role == "manager"}
    assert {host.name for host in migrating if is_manager(host.name)} == managers
    assert before["lausen"][STORE][:2] == ("running", "always"), "the store ran before the migration"
    assert all('"6379"' in matches["cache"][3] and matches["cache"][4] == "bridge " for matches in before.values())
    summary = channel_messages(imker, "`/swarm migrate all")[0]
    assert f"{len(migrating)} hosts migrated: {len(managers)} manager" in summary.plain_text
    assert started_in_order(imker, migrating)
    assert all(downloaded_ahead(host.name) is (host.name != "connewitz") for host in migrating)
    approved = channel_messages(imker, f"Accepted by <@{BOB}>")
    assert len(approved) == len(managers) - 1, "all managers except the first, which initialized the swarm"
    assert all(refuses_an_older_run(host.name) for host in migrating)
    assert (
        FencingToken.parse(run_on("connewitz", "docker", "info", "-f", LABEL).strip()).number >= len(migrating) - 1
    ), "at least one token per join"


def expected_containers(before: Containers) -> Containers:
    """Return the expected containers: the classic Swarm's are gone, its store is stopped, all others are unchanged."""
    remaining = {name: message for name, message in before.items() if name not in CLASSIC}
    return {name: ("exited", "no", *message[2:]) if name == STORE else message for name, message in remaining.items()}


def refuses_an_older_run(host: str) -> bool:
    stale = FencingToken(0, "stale", 1.0)
    fence = script(fenced_shell.FENCE_SCRIPT, fenced_shell.FENCE_FILE, *stale.as_words, "1")
    result = machine.run_on_host(host, *fence, "touch", "/tmp/stale")
    assert result.stderr.startswith("imker-fence later "), result.stderr
    return result.returncode == fenced_shell.SUPERSEDED_EXIT and run_on(host, "sh", "-c", "ls /tmp/stale || true") == ""


def downloaded_ahead(host: str) -> bool:
    """Return whether the host's download unit ran without an error."""
    journal = run_on(host, "journalctl", "-u", DOWNLOAD_UNIT, "-o", "cat", "--no-pager")
    assert "E: " not in journal, journal
    return "Imker: download docker.io=" in journal


def is_manager(host: str) -> bool:
    return run_on(host, "docker", "info", "-f", "{{.Swarm.ControlAvailable}}").strip() == "true"


def channel_messages(imker: Deployment, words: str) -> list[VisibleMessage]:
    return [message for message in imker.workspace.visible_messages(ALICE, OPS) if words in message.plain_text]


def started_in_order(imker: Deployment, migrating: tuple[LabHost, ...]) -> bool:
    """Return whether the canary started first, and the host of the store last. The others started together."""
    heads = [
        message.plain_text
        for message in imker.workspace.visible_messages(ALICE, OPS)
        if not message.thread_ts and re.search(" of [`<]", message.plain_text)
    ]
    began = [host.name for head in heads for host in migrating if f"`/swarm migrate {host.name}" in head]
    return began[0] == "connewitz" and began[-1] == "lausen" and len(began) == len(migrating)
