"""The whole fleet with one command, typed and pressed as people would: containers as before, and then nothing to do."""

from collections.abc import Iterator

import pytest

from jobs import engine, remote
from jobs.lock import Mark
from lab.fleet import fleet, machine
from lab.fleet.hosts import FLEET, LabHost
from lab.slack.client import Seen
from lab.story import ALICE, BOB, OPS, Story
from tests.fleet.conftest import THREE
from tests.fleet.imkers import Imker, new_imker, on
from tests.fleet.state import census

pytestmark = [pytest.mark.fleet, pytest.mark.timeout(600)]
EIGHT = tuple(host.name for host in FLEET)
Census = dict[str, tuple[str, ...]]
CLASSIC = {"swarm-agent", "swarm-agent-master"}
STORE = "consulnode01"
LABEL = '{{index .Swarm.Cluster.Spec.Labels "' + swarm_label.FENCE + '"}}'


@pytest.fixture
def moving(hosts: tuple[LabHost, ...], request: pytest.FixtureRequest) -> Iterator[tuple[LabHost, ...]]:
    """Hosts of these names in the state of 2016; afterwards there are three again, whatever has become of them."""
    fleet.reset(THREE)
    yield fleet.up(request.param)
    if request.param != THREE:
        fleet.down()
        fleet.up(THREE)


@pytest.fixture
def imker(moving: tuple[LabHost, ...]) -> Iterator[Imker]:
    with new_imker() as started:
        yield started


@pytest.mark.parametrize(
    "moving",
    [pytest.param(THREE, id="three"), pytest.param(EIGHT, id="eight", marks=pytest.mark.long)],
    indirect=True,
)
def test_the_whole_fleet_moves_and_its_containers_are_as_before(imker: Imker, moving: tuple[LabHost, ...]) -> None:
    before = {host.name: census(host.name) for host in moving}
    Story(imker.workspace).fleet(moving)  # Start, Accept under each manager, the node table, "nothing to do"
    after = {host.name: census(host.name) for host in moving}
    assert after == {name: as_promised(found) for name, found in before.items()}
    managers = {host.name for host in moving if host.role == "manager"}
    assert {host.name for host in moving if is_manager(host.name)} == managers
    assert before["lausen"][STORE][:2] == ("running", "always"), "there was something to leave"
    assert all('"6379"' in found["cache"][3] and found["cache"][4] == "bridge " for found in before.values())
    moved = channel(imker, "Migrate the whole fleet")[0]
    assert f"{len(moving)} hosts moved: {len(managers)} as managers" in moved.plain
    assert started_in_order(imker, moving)
    accepted = channel(imker, f"Accepted by <@{BOB}>")
    assert len(accepted) == len(managers) - 1, "all but the first, which started the swarm"
    assert all(refuses_an_older_run(host.name) for host in moving)
    assert Mark.of(on("connewitz", "docker", "info", "-f", LABEL).strip()).number >= len(moving) - 1, "a join each"


def as_promised(before: Census) -> Census:
    """The classic Swarm's own are gone; its store is stopped and kept; every other is as it was."""
    left = {name: seen for name, seen in before.items() if name not in CLASSIC}
    return {name: ("exited", "no", *seen[2:]) if name == STORE else seen for name, seen in left.items()}


def refuses_an_older_run(host: str) -> bool:
    stale = Mark(0, "stale", 1.0)
    words = ("sh", "-c", remote.FENCED, "imker", remote.FENCE, *stale.words, "1", "touch", "/tmp/stale")
    done = machine.enter(host, *words)
    assert done.stderr.startswith("imker-fence later "), done.stderr
    return done.returncode == remote.LATER and on(host, "sh", "-c", "ls /tmp/stale || true") == ""


def is_manager(host: str) -> bool:
    return on(host, "docker", "info", "-f", "{{.Swarm.ControlAvailable}}").strip() == "true"


def channel(imker: Imker, words: str) -> list[Seen]:
    return [seen for seen in imker.workspace.sees(ALICE, OPS) if words in seen.plain]


def started_in_order(imker: Imker, moving: tuple[LabHost, ...]) -> bool:
    """The canary, managers one at a time, then the workers, the store's host last."""
    heads = [seen.plain for seen in imker.workspace.sees(ALICE, OPS) if not seen.thread and " of `" in seen.plain]
    began = [host.name for head in heads for host in moving if f" {host.name}" in head.splitlines()[0]]
    roles = [host.role for name in began for host in moving if host.name == name]
    return began[0] == "connewitz" and roles == sorted(roles) and began[-1] == "lausen"
