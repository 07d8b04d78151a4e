"""Test a host that stops responding while its kernel still acknowledges packets, as a frozen host does.

The run reports it in time as unreachable, whatever it was doing, and a repeated command succeeds once the host
responds.
"""

import time
from collections.abc import Callable

import pytest

from imker.protocol.commands import Migrate
from imker.protocol.events import JobFinished
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
Freeze = Callable[[], None]
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
CONNECTION = "jobs.connectors.ssh_client.connection"
PATIENT = {f"{CONNECTION}.KEEPALIVE_INTERVAL": 0.5, f"{CONNECTION}.DEAD_AFTER": 5}  # s, while all hosts respond
IMPATIENT = {  # seconds, once the host is frozen; before, a busy machine would make others seem unreachable
    f"{CONNECTION}.DEAD_AFTER": 1,
    f"{CONNECTION}.BANNER_TIMEOUT": 1,
    "jobs.execute.packages.UNREACHABLE_TIMEOUT": 3,
}
ENGINE_TIMEOUT = 1.0  # seconds, once the host is frozen
SOON = 15.0  # seconds: with those; less than any command may take


@pytest.fixture
def ready(imker: JobRunner) -> JobRunner:
    """Create a swarm to join."""
    assert imker.run_job(Migrate("connewitz", "manager"))[-1].outcome == "done"
    return imker


@pytest.fixture
def freeze(ready: JobRunner, monkeypatch: pytest.MonkeyPatch) -> Freeze:
    """Return a function that freezes the host, and from then on waits for hosts as long as a test can afford."""
    for name, seconds in PATIENT.items():
        monkeypatch.setattr(name, seconds)

    def freeze_host() -> None:
        ready.fleet.set_silent("tondi")
        monkeypatch.setattr(Engine.__init__, "__defaults__", (ENGINE_TIMEOUT,))
        monkeypatch.setattr(EngineOpener.__call__, "__defaults__", (ENGINE_TIMEOUT,))
        for name, seconds in IMPATIENT.items():
            monkeypatch.setattr(name, seconds)

    return freeze_host


def freeze_in(monkeypatch: pytest.MonkeyPatch, freeze: Freeze, kind: type) -> None:
    """Freeze the host when this step starts. The host is already claimed then."""

    def carried_out(step: steps.Step, site: StepTarget) -> str:
        if isinstance(step, kind):
            freeze()
        return execute.execute_step(step, site)

    monkeypatch.setattr("jobs.execute.exclusive.execute_step", carried_out)


def freeze_at(monkeypatch: pytest.MonkeyPatch, freeze: Freeze, words: str) -> None:
    """Freeze the host when it has received this command."""

    def type_text(machine: Machine, line: str, stdin: str, source: str) -> Output:
        if machine.name == "tondi" and words in line:
            freeze()
        return commands.run_line(machine, line, stdin, source)

    monkeypatch.setattr("lab.simulated.ssh_server.run_line", type_text)


def seconds_until_reported(imker: JobRunner, monkeypatch: pytest.MonkeyPatch) -> float:
    """Return the seconds until the run reports the host, and assert that a repeated command succeeds."""
    began = time.monotonic()
    last = imker.run_job(TONDI)[-1]
    took = time.monotonic() - began
    assert isinstance(last, JobFinished), last
    assert last.outcome == "failed", last
    assert "outcome unknown" in last.summary or "unreachable" in last.summary, last
    monkeypatch.undo()
    imker.fleet.set_silent("tondi", silent=False)
    assert imker.run_job(TONDI)[-1].question == "accept"
    return took


@pytest.mark.parametrize("step", STEPS)
def test_reports_a_frozen_host_in_each_kind_of_step(
    ready: JobRunner, freeze: Freeze, monkeypatch: pytest.MonkeyPatch, step: type
) -> None:
    freeze_in(monkeypatch, freeze, step)
    assert seconds_until_reported(ready, monkeypatch) < SOON


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_reports_a_frozen_host_while_a_command_runs(
    ready: JobRunner, freeze: Freeze, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    freeze_at(monkeypatch, freeze, command)
    assert seconds_until_reported(ready, monkeypatch) < SOON


@pytest.mark.figures
@pytest.mark.long
@pytest.mark.timeout(2 * TOLD)
@pytest.mark.parametrize(("when", "command"), COMMANDS.items(), ids=COMMANDS)
def test_reports_a_frozen_host_in_time(
    ready: JobRunner, monkeypatch: pytest.MonkeyPatch, when: str, command: str
) -> None:
    freeze_at(monkeypatch, lambda: ready.fleet.set_silent("tondi"), command)
    took = seconds_until_reported(ready, monkeypatch)
    record_figure(f"a host stops responding ({when}), reported after", f"{took:.0f} s")
    assert took < TOLD
