"""Two bots and two reporters side by side: each command once, each message once, and one takes over from the other."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.lease import LEASE, RENEW
from jobs.contract import Began, Ended
from lab.imker import Processes
from tests.figures import figure
from tests.flow.conftest import ALICE, OPS, Flow, _await

DONE = Ended("nothing", "nothing to do")


@pytest.fixture
def second(flow: Flow, folder: Path) -> Iterator[Processes]:
    """A bot and a reporter more, begun when the first lead."""
    flow.await_true(lambda: bool(flow.redis.get("bot:reporter")))
    processes = Processes(flow.processes.environment, flow.processes.log)
    for name in ("bot", "reporter"):
        if flow.processes.running[name].poll() is not None:
            flow.processes.start(name)
        processes.start(name)
    _await(lambda: flow.workspace.sockets() == 2, folder / "log")
    yield processes
    processes.stop()


def posts(flow: Flow, run: str) -> int:
    return sum(f"run `{run}`" in seen.plain for seen in flow.workspace.sees(ALICE, OPS))


def test_one_envelope_on_two_connections_is_one_run(flow: Flow, second: Processes) -> None:
    runs = flow.redis.zcard("bot:recent")
    for number in range(1, 6):
        flow.workspace.fault("repeat", method="socket")
        run = flow.run_of(flow.asked("/swarm migrate tondi", "queued"))
        flow.tell(run, Began("tondi"), DONE)
        flow.workspace.wait(ALICE, OPS, lambda seen, run=run: run in seen.plain and DONE.summary in seen.plain)
        assert flow.redis.zcard("bot:recent") == runs + number
        assert posts(flow, run) == 1
        assert len(flow.redis.keys(f"rq:job:{run}-*")) == 1


def test_a_slack_that_is_slower_than_the_lease_gets_no_second_post(flow: Flow, second: Processes) -> None:
    """The first reporter waits for Slack all the while; the second must not take that for its end."""
    flow.workspace.fault("latency", method="chat.postMessage", seconds=LEASE + 1.5)
    run = flow.run_of(flow.asked("/swarm migrate tondi", "queued", seconds=30))
    flow.tell(run, Began("tondi"), DONE)
    flow.workspace.wait(ALICE, OPS, lambda seen: run in seen.plain and DONE.summary in seen.plain, 30)
    assert posts(flow, run) == 1
    assert len([call for call in flow.workspace.calls("chat.postMessage") if run in str(call["arguments"])]) == 1


@pytest.mark.figures
def test_a_bot_and_a_reporter_that_are_killed_are_replaced_by_the_others(flow: Flow, second: Processes) -> None:
    for name in ("bot", "reporter"):
        flow.processes.kill(name)
    began = time.monotonic()
    flow.await_true(lambda: flow.workspace.say(ALICE, OPS, "/swarm migrate lausen")["acked"])
    figure("bot killed -> the other takes a command", f"{time.monotonic() - began:.1f} s")
    message = flow.workspace.wait(ALICE, OPS, "Migrate lausen", 30)
    figure("reporter killed -> the other's first post", f"{time.monotonic() - began:.1f} s")
    assert time.monotonic() - began < LEASE + RENEW + 5
    assert posts(flow, flow.run_of(message)) == 1
    for name in ("bot", "reporter"):
        flow.processes.start(name)
