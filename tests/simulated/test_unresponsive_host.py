"""Test a host that stops responding while its kernel still acknowledges packets, as a frozen host does.

The run reports it in time as unreachable, whatever it was doing, and a repeated command succeeds once the host
responds.
"""

import time

import pytest

from imker.protocol.commands import Migrate
from jobs import execute, steps
from jobs.connectors.engine import Engine
from jobs.connectors.engine_opener import EngineOpener
from jobs.execute.target import StepTarget
from lab.simulated import commands
from lab.simulated.machine import Machine
from lab.simulated.output import Output
from tests.simulated.conftest import JobRunner
from tests.support.figures import record_figure

TOLD = 90.0  # seconds within which a person knows that a host is not heard of
TONDI = Migrate("tondi", "manager")
STEPS = (
    steps.RemoveClassicContainers,
    steps.SwitchAptSource,
    steps.UpgradeEngine,
    steps.RestoreOptions,
    steps.RestartEngine,
    steps.EnsureContainersRunning,
    steps.JoinSwarm,
    steps.WaitForReady,
    steps.MarkPending,
)
COMMANDS = {  # the longest waits
    "the host is read": "dpkg-query -W",
    "the upgrade is begun": "# imker: start the unit of an upgrade",
    "the upgrade is followed": "# imker: follow a transient unit",
    "the Engine restarts": "# imker: restart the daemon",
}
SHORT = {
    "jobs.connectors.ssh_client.connection.KEEPALIVE_INTERVAL": 0.5,
    "jobs.connectors.ssh_client.connection.DEAD_AFTER": 1,
    "jobs.connectors.ssh_client.connection.BANNER_TIMEOUT": 1,
    "jobs.execute.packages.UNREACHABLE_TIMEOUT": 3,
}
SOON = 15.0  # seconds: with those; less than any command may take


@pytest.fixture
def ready(imker: JobRunner) -> JobRunner:
    """Create a swarm to join."""
    assert imker.run_job(Migrate("connewitz", "manager"))[-1].outcome == "done"
    return imker


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Engine.__init__, "__defaults__", (1.0,))
    monkeypatch.setattr(EngineOpener.__call__, "__defaults__", (1.0,))
    for name, seconds in SHORT.items():
        monkeypatch.setattr(name, seconds)


def silent_in(imker: JobRunner, monkeypatch: pytest.MonkeyPatch, kind: type) -> None:
    """Freeze the host when this step starts. The host is already claimed then."""

    def carried_out(step: steps.Step, site: StepTarget) -> str:
        if isinstance(step, kind):
            imker.fleet.set_silent("tondi")
        return execute.execute_step(step, site)

    monkeypatch.setattr("jobs.execute.exclusive.execute_step", carried_out)


def silent_at(imker: JobRunner, monkeypatch: pytest.MonkeyPatch, words: str) -> None:
    """Freeze the host when it has received this command."""

    def type_text(machine: Machine, line: str, stdin: str, source: str) -> Output:
        if machine.name == "tondi" and words in line:
            imker.fleet.set_silent("tondi")
        return commands.run_line(machine, line, stdin, source)

    monkeypatch.setattr("lab.simulated.ssh_server.run_line", type_text)


def seconds_until_reported(imker: JobRunner, monkeypatch: pytest.MonkeyPatch) -> float:
    """Return the seconds until the run reports the host, and assert that a repeated command succeeds."""
    began = time.monotonic()
    last = imker.run_job(TONDI)[-1]
    took = time.monotonic() - began
    assert last.outcome == "failed", last
    assert "outcome unknown" in last.summary or "unreachable" in last.summary, last
    monkeypatch.undo()
    imker.fleet.set_silent("tondi", silent=False)
    assert imker.run_job(TONDI)[-1].question == "accept"
    return took


@pytest.mark.parametrize("step", STEPS)
def test_reports_a_frozen_host_in_each_kind_of_step(
    ready: JobRunner, impatient: None, monkeypatch: pytest.MonkeyPatch, step: type
) -> None:
    silent_in(ready, monkeypatch, step)
    assert seconds_until_reported(ready, monkeypatch) < SOON


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_reports_a_frozen_host_while_a_command_runs(
    ready: JobRunner, impatient: None, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    silent_at(ready, monkeypatch, command)
    assert seconds_until_reported(ready, monkeypatch) < SOON


@pytest.mark.figures
@pytest.mark.long
@pytest.mark.timeout(2 * TOLD)
@pytest.mark.parametrize(("when", "command"), COMMANDS.items(), ids=COMMANDS)
def test_reports_a_frozen_host_in_time(
    ready: JobRunner, monkeypatch: pytest.MonkeyPatch, when: str, command: str
) -> None:
    silent_at(ready, monkeypatch, command)
    took = seconds_until_reported(ready, monkeypatch)
    record_figure(f"a host stops responding ({when}), reported after", f"{took:.0f} s")
    assert took < TOLD
