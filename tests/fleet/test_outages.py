"""Lines, Redis and the leader go away in the middle of a migration: told truly, in time, and gone on with after."""

import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from jobs import remote
from jobs.contract import Ended
from lab.fleet import fleet, machine
from tests.fleet.imkers import Imker, on, upgrading, wait_for
from tests.fleet.tondi import HOST, MIGRATE, is_in_the_swarm

pytestmark = [pytest.mark.fleet, pytest.mark.long, pytest.mark.timeout(500)]
TOLD = 90  # seconds within which a person knows that a host is not heard of
LEADER = "connewitz"


def unpacking() -> bool:
    """apt has all it needs from elsewhere, and dpkg is at the Engine's package."""
    return upgrading(HOST) and " upgrade docker.io" in on(HOST, "cat", "/var/log/dpkg.log")


def restarting() -> bool:
    """The step's own first command is done; a line lost before that leaves nothing unknown."""
    return machine.enter(HOST, "test", "-e", remote.RAN).returncode == 0


@pytest.mark.parametrize(("step", "going_on"), [("UpgradeEngine", unpacking), ("RestartEngine", restarting)])
def test_a_black_hole(imker: Imker, step: str, going_on: Callable[[], bool]) -> None:
    message = imker.asks(MIGRATE)
    imker.begins(message, step)
    wait_for(going_on)
    machine.black_hole(HOST)
    began = time.monotonic()
    failed = imker.over(message)
    assert time.monotonic() - began < TOLD
    assert failed.text.startswith("❌"), failed.plain
    assert "outcome not known" in failed.plain
    assert "/swarm" in failed.plain.splitlines()[-1], "what to type when it is back"
    wait_for(lambda: not upgrading(HOST))  # it went on there by itself
    machine.black_hole(HOST, dark=False)
    again = imker.over(imker.asks(f"/swarm retry {imker.run_of(message)}"))
    assert again.text.startswith("✅"), again.plain
    is_in_the_swarm()


def test_redis_is_killed_during_the_upgrade(imker: Imker) -> None:
    message = imker.asks(MIGRATE)
    wait_for(lambda: upgrading(HOST))
    before = int(imker.redis.info("server")["process_id"])
    os.kill(before, signal.SIGKILL)
    done = imker.over(message)
    assert done.text.startswith("✅"), done.plain
    assert int(imker.redis.info("server")["process_id"]) != before
    ends = [body for body in imker.told(imker.run_of(message)) if isinstance(body, Ended)]
    assert ends == [Ended("done", f"{HOST} is in the swarm.")], "one end"
    is_in_the_swarm()


@pytest.fixture
def swarm(imker: Imker) -> Iterator[None]:
    """One that the leader has started; afterwards it is as it was."""
    assert imker.over(imker.asks(f"/swarm migrate {LEADER} --manager")).text.startswith("✅")
    yield
    fleet.reset([LEADER])


@pytest.mark.usefixtures("swarm")
def test_the_leader_dies_during_a_join(imker: Imker) -> None:
    """Its port for joining is shut first, so that the join is on its way for certain when it dies."""
    message = imker.asks(f"/swarm migrate {HOST} --worker")
    imker.begins(message, "RestartEngine")
    on(LEADER, "iptables", "-I", "INPUT", "-p", "tcp", "--dport", "2377", "-j", "DROP")
    imker.begins(message, "JoinSwarm")
    machine.kill(LEADER)
    failed = imker.over(message)
    assert failed.text.startswith("❌"), failed.plain
    assert f"{HOST} is left with this done:" in failed.plain
    assert "Not done: Join the swarm" in failed.plain
    fleet.reboot([LEADER])
    again = imker.over(imker.asks(f"/swarm retry {imker.run_of(message)}"))
    assert again.text.startswith("✅"), again.plain
    is_in_the_swarm()
    nodes = imker.over(imker.asks("/swarm nodes")).plain
    assert nodes.count(HOST) == 1, "no ghost is left of the join that failed"
