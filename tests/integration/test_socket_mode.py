"""Break Socket Mode connections, which stop responding or are closed repeatedly: commands still arrive."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.processes import Processes, imker_environment
from lab.slack.client import Workspace
from lab.slack.server_process import free_port, run_fake_slack
from tests.integration.conftest import ALICE, CANARIES, CAROL, OPS, Flow, _wait_until, _write_config
from tests.support.figures import record_figure

NOTICED = 60.0  # seconds until the bot handles commands again, at the latest
STORM = 25  # connections closed, one after the other
REASONS = ("refresh_requested", "warning", "too_many_websockets")  # Slack lets an app have ten connections at once


@dataclass
class Ear:
    """A bot with its own fake Slack, under a minimal supervisor."""

    workspace: Workspace
    processes: Processes
    pongs: int = 0  # there were until it fell deaf
    heard_at: float = 0.0  # when the bot handled a command again

    def fall_deaf(self) -> None:
        self.workspace.set_fault("deafen")
        self.workspace.clear_faults()
        self.pongs = self.workspace.pong_count()

    def look(self) -> None:
        if self.processes.by_name["bot"].poll() is not None:
            self.processes.start("bot")
        if not self.heard_at and self.workspace.pong_count() > self.pongs:
            assert self.workspace.say(CAROL, OPS, "/swarm help")["acked"]
            self.heard_at = time.monotonic()


@pytest.mark.figures
def test_exits_on_an_unresponsive_connection(folder: Path) -> None:
    """Cover a connection that never had a pong, which the SDK takes for healthy, and one whose pongs stop."""
    with ExitStack() as stack:
        never = _ear(stack, folder, "never", lambda slack: slack.set_fault("deaf", method="socket", times=-1))
        stopped = _ear(stack, folder, "stopped", lambda slack: None)
        _wait_until(lambda: stopped.workspace.pong_count() > 0, folder / "log")
        assert never.workspace.pong_count() == 0
        for ear in (never, stopped):
            ear.fall_deaf()
        began = time.monotonic()
        while not (never.heard_at and stopped.heard_at):
            assert time.monotonic() - began < NOTICED, (folder / "log").read_text()
            for ear in (never, stopped):
                ear.look()
            time.sleep(0.2)
    record_figure("unresponsive socket, never a pong: until commands arrive", f"{never.heard_at - began:.1f} s")
    record_figure("unresponsive socket, pongs stop: until commands arrive", f"{stopped.heard_at - began:.1f} s")


def test_loses_no_command_in_a_storm_of_disconnects(flow: Flow) -> None:
    """Answer each acknowledged command once. Slack reports every other command to its user."""
    acked = 0
    for number in range(STORM):
        flow.workspace.set_fault("disconnect", reason=REASONS[number % len(REASONS)])
        flow.wait_until(lambda: flow.workspace.connection_count() > 0)
        acked += flow.workspace.say(ALICE, OPS, "/swarm status")["acked"]
    assert acked
    flow.wait_until(lambda: flow.workspace.say(CAROL, OPS, "/swarm help")["acked"])
    flow.wait_until(lambda: _answers(flow) >= acked)
    assert _answers(flow) <= STORM
    assert flow.processes.by_name["bot"].poll() is None


def _answers(flow: Flow) -> int:
    return sum(message.ephemeral for message in flow.workspace.visible_messages(ALICE, OPS))


def _ear(stack: ExitStack, folder: Path, name: str, before: Callable[[Workspace], None]) -> Ear:
    workspace = stack.enter_context(run_fake_slack())
    before(workspace)
    own_folder = folder / name
    own_folder.mkdir()
    settings = imker_environment(workspace.url, _write_config(own_folder, free_port()), folder / f"redis-{name}")
    processes = Processes({**settings, **CANARIES}, folder / "log")
    stack.callback(processes.stop)
    processes.start("bot")
    _wait_until(lambda: workspace.connection_count() > 0, folder / "log")
    return Ear(workspace, processes)
