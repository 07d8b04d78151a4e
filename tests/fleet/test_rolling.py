"""A node that is in swarm mode already, on an older Engine: its tasks move, it is upgraded, and works again."""

from collections.abc import Iterator

import pytest

from lab.fleet import fleet
from lab.fleet.hosts import BY_NAME, IMAGES
from lab.story import ALICE
from tests.fleet.imkers import Imker, on, wait_for
from tests.fleet.tondi import CONTAINERS, HOST, running, version

pytestmark = [pytest.mark.fleet, pytest.mark.long, pytest.mark.timeout(500)]
LEADER = "connewitz"
HIVE = ("docker", "service", "create", "--detach", "--no-resolve-image", "--replicas", "4", "--name", "hive")


@pytest.fixture
def swarm(imker: Imker) -> Iterator[None]:
    """Somebody else's, with a service; afterwards its leader is as it was."""
    address = BY_NAME[LEADER].address
    on(LEADER, "docker", "swarm", "init", "--advertise-addr", address)
    token = on(LEADER, "docker", "swarm", "join-token", "-q", "worker").strip()
    on(HOST, "docker", "swarm", "join", "--token", token, f"{address}:2377")
    on(LEADER, *HIVE, IMAGES[0], "/stand-in")
    wait_for(lambda: len(tasks(HOST)) == 2)
    yield
    fleet.reset([LEADER])


@pytest.mark.usefixtures("swarm")
def test_a_worker_of_20_10(imker: Imker) -> None:
    before = running() - {"swarm-agent"} - set(tasks(HOST))
    message = imker.asks(f"/swarm migrate {HOST} --worker")
    imker.says(message, "has warnings: continue?")
    imker.presses(ALICE, message, "Continue")
    imker.begins(message, "UpgradeEngine")
    assert (tasks(HOST), len(tasks(LEADER))) == ([], 4)
    assert node("{{.Spec.Availability}}") == "drain"
    done = imker.over(message)
    assert done.text.startswith("✅"), done.plain
    assert "no task of a service runs on it" in done.plain
    assert version().startswith("26.1")
    assert running() == before >= CONTAINERS
    assert (node("{{.Spec.Availability}} {{.Status.State}}"), node("{{json .Spec.Labels}}")) == ("active ready", "{}")
    on(LEADER, "docker", "service", "scale", "--detach", "hive=8")
    wait_for(lambda: bool(tasks(HOST)))


def tasks(host: str) -> list[str]:
    """Names of the containers of the service's tasks that run there."""
    return on(host, "docker", "ps", "--filter", "label=com.docker.swarm.task.id", "--format", "{{.Names}}").split()


def node(form: str) -> str:
    return on(LEADER, "docker", "node", "inspect", HOST, "--format", form).strip()
