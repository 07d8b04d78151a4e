"""Socket Mode connections that fall deaf or are closed again and again: people are heard all the same."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.imker import Processes, environment
from lab.slack.client import Workspace
from lab.slack.running import free_port, running
from tests.figures import figure
from tests.flow.conftest import ALICE, CANARIES, CAROL, OPS, Flow, _await, _configured

NOTICED = 60.0  # seconds until somebody who types is heard again, at the latest
STORM = 25  # connections closed, one after the other
REASONS = ("refresh_requested", "warning", "too_many_websockets")  # Slack lets an app have ten connections at once


@dataclass
class Ear:
    """A bot with a Slack of its own, under a supervisor as small as can be."""

    workspace: Workspace
    processes: Processes
    pongs: int = 0  # there were until it fell deaf
    heard: float = 0.0  # when somebody was heard again

    def fall_deaf(self) -> None:
        self.workspace.fault("deafen")
        self.workspace.clear_faults()
        self.pongs = self.workspace.pongs()

    def look(self) -> None:
        if self.processes.running["bot"].poll() is not None:
            self.processes.start("bot")
        if not self.heard and self.workspace.pongs() > self.pongs:
            assert self.workspace.say(CAROL, OPS, "/swarm help")["acked"]
            self.heard = time.monotonic()


@pytest.mark.figures
def test_a_deaf_connection_is_noticed(folder: Path) -> None:
    """One that never had a pong, which the SDK takes for well; and one whose pongs stop."""
    with ExitStack() as stack:
        never = _ear(stack, folder, "never", lambda slack: slack.fault("deaf", method="socket", times=-1))
        stopped = _ear(stack, folder, "stopped", lambda slack: None)
        _await(lambda: stopped.workspace.pongs() > 0, folder / "log")
        assert never.workspace.pongs() == 0
        for ear in (never, stopped):
            ear.fall_deaf()
        began = time.monotonic()
        while not (never.heard and stopped.heard):
            assert time.monotonic() - began < NOTICED, (folder / "log").read_text()
            for ear in (never, stopped):
                ear.look()
            time.sleep(0.2)
    figure("deaf from the first moment -> people are heard again", f"{never.heard - began:.1f} s")
    figure("pongs stop -> people are heard again", f"{stopped.heard - began:.1f} s")


def test_a_storm_of_disconnects_loses_no_command(flow: Flow) -> None:
    """What is acknowledged is answered once; what is not, Slack tells its user."""
    acked = 0
    for number in range(STORM):
        flow.workspace.fault("disconnect", reason=REASONS[number % len(REASONS)])
        flow.await_true(lambda: flow.workspace.sockets() > 0)
        acked += flow.workspace.say(ALICE, OPS, "/swarm status")["acked"]
    assert acked
    flow.await_true(lambda: flow.workspace.say(CAROL, OPS, "/swarm help")["acked"])
    flow.await_true(lambda: _answers(flow) >= acked)
    assert _answers(flow) <= STORM
    assert flow.processes.running["bot"].poll() is None


def _answers(flow: Flow) -> int:
    return sum(seen.ephemeral for seen in flow.workspace.sees(ALICE, OPS))


def _ear(stack: ExitStack, folder: Path, name: str, before: Callable[[Workspace], None]) -> Ear:
    workspace = stack.enter_context(running())
    before(workspace)
    own = folder / name
    own.mkdir()
    settings = environment(workspace.url, _configured(own, free_port()), folder / f"redis-{name}")
    processes = Processes({**settings, **CANARIES}, folder / "log")
    stack.callback(processes.stop)
    processes.start("bot")
    _await(lambda: workspace.sockets() > 0, folder / "log")
    return Ear(workspace, processes)
