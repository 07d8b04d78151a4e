"""A swarm node with an older Engine: its tasks move, it is upgraded, and gets tasks again."""

from collections.abc import Iterator

import pytest

from lab.fleet import fleet
from lab.fleet.hosts import BY_NAME, IMAGES
from lab.story import ALICE
from tests.e2e.support.deployment import Deployment, run_on, wait_until
from tests.e2e.support.host import CONTAINERS, HOST, engine_version, running_containers

pytestmark = [pytest.mark.fleet, pytest.mark.long, pytest.mark.timeout(500)]
LEADER = "connewitz"
CREATE_SERVICE = ("docker", "service", "create", "--detach", "--no-resolve-image", "--replicas", "4", "--name", "hive")


@pytest.fixture
def swarm(imker: Deployment) -> Iterator[None]:
    """Create a swarm with a service, as another user would. Reset its leader after the test."""
    address = BY_NAME[LEADER].address
    run_on(LEADER, "docker", "swarm", "init", "--advertise-addr", address)
    token = run_on(LEADER, "docker", "swarm", "join-token", "-q", "worker").strip()
    run_on(HOST, "docker", "swarm", "join", "--token", token, f"{address}:2377")
    run_on(LEADER, *CREATE_SERVICE, IMAGES[0], "/idle")
    wait_until(lambda: len(task_names(HOST)) == 2)
    yield
    fleet.reset([LEADER])


@pytest.mark.usefixtures("swarm")
def test_upgrades_a_worker_with_engine_20_10(imker: Deployment) -> None:
    before = running_containers() - {"swarm-agent"} - set(task_names(HOST))
    message = imker.send_command(f"/swarm migrate {HOST} --worker")
    imker.wait_for_text(message, "has warnings: continue?")
    imker.press_button(ALICE, message, "Continue")
    imker.wait_for_step(message, "UpgradeEngine")
    assert task_names(HOST) == []
    wait_until(lambda: len(task_names(LEADER)) == 4)  # swarm mode starts a replacement after a delay of 5 s
    assert inspect_node("{{.Spec.Availability}}") == "drain"
    result = imker.wait_until_finished(message)
    assert result.text.startswith("✅"), result.plain_text
    assert "no service task is running" in result.plain_text
    assert engine_version().startswith("26.1")
    assert running_containers() == before >= CONTAINERS
    assert (inspect_node("{{.Spec.Availability}} {{.Status.State}}"), inspect_node("{{json .Spec.Labels}}")) == (
        "active ready",
        "{}",
    )
    run_on(LEADER, "docker", "service", "scale", "--detach", "hive=8")
    wait_until(lambda: bool(task_names(HOST)))


def task_names(host: str) -> list[str]:
    """Return names of the containers of the service's tasks on a host."""
    return run_on(host, "docker", "ps", "--filter", "label=com.docker.swarm.task.id", "--format", "{{.Names}}").split()


def inspect_node(form: str) -> str:
    return run_on(LEADER, "docker", "node", "inspect", HOST, "--format", form).strip()
