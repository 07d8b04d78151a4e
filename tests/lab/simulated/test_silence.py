"""A host that falls silent while its kernel goes on acknowledging every packet, as a frozen one does.

Told in time as unreachable, whatever was being done; and gone on with when it speaks again.
"""

import time
from typing import Any

import pytest

from jobs import execute, steps
from jobs.contract import Migrate
from jobs.engine import Engine
from jobs.execute.site import Site
from lab.simulated import commands
from lab.simulated.machine import Machine
from lab.simulated.said import Said
from tests.figures import figure

TOLD = 90.0  # seconds within which a person knows that a host is not heard of
TONDI = Migrate("tondi", "manager")
STEPS = (
    "RetireContainers",
    "SwitchSource",
    "UpgradeEngine",
    "PutOptionsBack",
    "RestartEngine",
    "StartContainers",
    "JoinSwarm",
    "CheckNode",
    "MarkPending",
)
COMMANDS = {  # the longest waits
    "the host is read": "dpkg-query -W",
    "the upgrade is begun": "systemd-run --unit=imker-upgrade.service",
    "the upgrade is followed": "journalctl -u imker-upgrade.service",
    "the Engine restarts": "systemctl restart docker.service",
}
SHORT = {"jobs.ssh.BEAT": 0.5, "jobs.ssh.UNHEARD": 1, "jobs.ssh.BANNER": 1, "jobs.execute.packages.SILENCE": 3}
SOON = 15.0  # seconds: with those; less than any command may take


@pytest.fixture
def ready(imker) -> Any:
    """There is a swarm to join."""
    assert imker.does(Migrate("connewitz", "manager"))[-1].outcome == "done"
    return imker


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Engine.__init__, "__defaults__", (1.0,))
    for name, seconds in SHORT.items():
        monkeypatch.setattr(name, seconds)


def silent_in(imker, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """From the begin of the step itself: the host was claimed for it."""

    def carried_out(step: steps.Step, site: Site) -> str:
        if type(step).__name__ == name:
            imker.fleet.black_hole("tondi")
        return execute.execute(step, site)

    monkeypatch.setattr("jobs.stepping.execute", carried_out)


def silent_at(imker, monkeypatch: pytest.MonkeyPatch, words: str) -> None:
    """From when the host has heard this command."""

    def typed(machine: Machine, line: str, stdin: str, source: str) -> Said:
        if machine.name == "tondi" and words in line:
            imker.fleet.black_hole("tondi")
        return commands.typed(machine, line, stdin, source)

    monkeypatch.setattr("lab.simulated.ssh.typed", typed)


def told(imker, monkeypatch: pytest.MonkeyPatch) -> float:
    """Seconds until the run's last word, which says so; asked again, it arrives."""
    began = time.monotonic()
    last = imker.does(TONDI)[-1]
    took = time.monotonic() - began
    assert last.outcome == "failed", last
    assert "outcome not known" in last.summary or "does not answer" in last.summary, last
    monkeypatch.undo()
    imker.fleet.black_hole("tondi", silent=False)
    assert imker.does(TONDI)[-1].question == "accept"
    return took


@pytest.mark.parametrize("step", STEPS)
def test_it_is_told_in_each_kind_of_step(ready, impatient, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    silent_in(ready, monkeypatch, step)
    assert told(ready, monkeypatch) < SOON


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_it_is_told_while_a_command_runs(ready, impatient, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    silent_at(ready, monkeypatch, command)
    assert told(ready, monkeypatch) < SOON


@pytest.mark.figures
@pytest.mark.long
@pytest.mark.timeout(2 * TOLD)
@pytest.mark.parametrize(("when", "command"), COMMANDS.items(), ids=COMMANDS)
def test_it_is_told_in_time(ready, monkeypatch: pytest.MonkeyPatch, when: str, command: str) -> None:
    silent_at(ready, monkeypatch, command)
    took = told(ready, monkeypatch)
    figure(f"a host falls silent as {when}: told after", f"{took:.0f} s")
    assert took < TOLD
