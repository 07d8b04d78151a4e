"""`make demo STORY=day2` on simulated hosts: its output and its exit status."""

import pytest

from lab.slack.server_process import free_port
from tests.support.demo import run_demo

pytestmark = pytest.mark.processes
LINES = """\
These hosts are SIMULATED
First, Imker moves 5 hosts into swarm mode.
alice: /swarm watch
The watch is on.
alice: /swarm create shop shop:1 --replicas 3
alice: /swarm scale shop=5
✅ shop converged in
another user deploys shop:2, which does not exist
⚠️ shop: 4/5 running, image shop:2 was not found
alice presses Roll back
+ image: shop:1
✅ 1 service, all healthy
Drain `pirita`? Tasks move to other nodes: shop.
✅ `pirita` is drained
✅ `pirita` is active
tolkewitz loses power
🔻 `tolkewitz` is Down since
✅ `tolkewitz` is Ready again: resolved after
alice: /swarm upgrade all --to 28.*
3 connewitz manager
✅ 5 nodes upgraded
alice opens Home
The swarm is in the expected state."""


@pytest.mark.timeout(420)
def test_the_second_story_operates_the_swarm() -> None:
    succeeded, output = run_demo(free_port(), 400, STORY="day2")
    assert succeeded, output
    lines = [" ".join(line.split()) for line in output.splitlines()]
    for expected in LINES.splitlines():
        assert any(line.startswith(expected) for line in lines), f"{expected}\n{output}"


@pytest.mark.parametrize("hosts", ["connewitz tondi kaditz lausen", "connewitz lausen pirita"])
def test_the_second_story_needs_three_managers_and_two_workers(hosts: str) -> None:
    succeeded, output = run_demo(free_port(), STORY="day2", HOSTS=hosts)
    assert not succeeded
    assert "lab: the story day2 needs three managers and two workers" in output
    assert "SIMULATED" not in output
