"""A service on real hosts: created, scaled, broken by another user, explained, and rolled back."""

from collections.abc import Iterator

import pytest

from lab.fleet import fleet
from lab.fleet.hosts import BY_NAME
from lab.slack.client import VisibleMessage
from lab.story import ALICE
from tests.e2e.support.deployment import Deployment, run_on, wait_until
from tests.e2e.support.host import HOST

pytestmark = [pytest.mark.fleet, pytest.mark.long, pytest.mark.timeout(500)]
LEADER = "connewitz"
IMAGE, PORT = "shop:1", "8080:80,mode=host"  # without IP_VS in the kernel, a port works on the task's node only
COMMIT = ("docker", "commit", "--change", 'CMD ["/idle"]', "web", IMAGE)


@pytest.fixture
def swarm(imker: Deployment) -> Iterator[None]:
    """Create a swarm of two hosts that have the image. Reset its leader after the test."""
    address = BY_NAME[LEADER].address
    run_on(LEADER, "docker", "swarm", "init", "--advertise-addr", address)
    token = run_on(LEADER, "docker", "swarm", "join-token", "-q", "worker").strip()
    run_on(HOST, "docker", "swarm", "join", "--token", token, f"{address}:2377")
    for host in (LEADER, HOST):
        run_on(host, *COMMIT)
    yield
    fleet.reset([LEADER])


@pytest.mark.usefixtures("swarm")
def test_creates_scales_explains_and_rolls_back(imker: Deployment) -> None:
    refused = imker.wait_until_finished(imker.send_command("/swarm create api nosuch:1"))
    assert refused.text.startswith("🚫"), refused.plain_text
    assert "image nosuch:1" in refused.plain_text

    question, created = start(imker, f"/swarm create web {IMAGE} --replicas 2 --publish {PORT}")
    assert "2 of 2 nodes have room: connewitz, tondi" in question.plain_text
    assert "web converged in" in created.plain_text
    assert "2 of 2 running" in created.plain_text
    assert running_replicas() == "2/2"

    question = imker.wait_for_text(imker.send_command("/swarm scale web=4"), "planned: start?")
    assert "port 8080/tcp is in use on 2 of 2 nodes" in question.plain_text
    imker.press_button(ALICE, question, "Cancel")
    scaled = imker.wait_until_finished(imker.send_command("/swarm scale web=1"))
    assert "web converged in" in scaled.plain_text, scaled.plain_text
    assert running_replicas() == "1/1"

    restarted = imker.wait_until_finished(imker.send_command("/swarm restart web"))
    assert "web converged in" in restarted.plain_text, restarted.plain_text
    run_on(LEADER, "docker", "service", "update", "--detach", "--no-resolve-image", "--image", "nosuch:1", "web")
    wait_until(lambda: "paused" in update_state())
    details = imker.wait_until_finished(imker.send_command("/swarm service web"))
    assert "image nosuch:1 was not found" in details.plain_text, details.plain_text
    assert "No such image: nosuch:1" in details.plain_text, "Docker's own words"

    question, rolled_back = start(imker, "/swarm rollback web")
    assert "- image: nosuch:1" in question.plain_text
    assert "web converged in" in rolled_back.plain_text, rolled_back.plain_text
    listed = imker.wait_until_finished(imker.send_command("/swarm services"))
    assert "1 service, all healthy" in listed.plain_text, listed.plain_text


def start(imker: Deployment, command: str) -> tuple[VisibleMessage, VisibleMessage]:
    """Send a command that asks, and start its plan. Return the message with the question, and at its end."""
    question = imker.wait_for_text(imker.send_command(command), "planned: start?")
    imker.press_button(ALICE, question, "Start")
    return question, imker.wait_until_finished(question)


def running_replicas() -> str:
    return run_on(LEADER, "docker", "service", "ls", "--filter", "name=web", "--format", "{{.Replicas}}").strip()


def update_state() -> str:
    form = "{{.UpdateStatus.State}}"
    return run_on(LEADER, "docker", "service", "inspect", "--format", form, "web").strip()
