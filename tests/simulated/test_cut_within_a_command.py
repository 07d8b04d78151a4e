"""Lose a host in the middle of a command, after any of its effects: the repeated command completes the migration."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from imker.protocol.commands import Migrate
from jobs.connectors import fenced_shell, files
from lab.chaos import invariants
from lab.fleet.daemon_option_files import DEFAULTS_PATH
from lab.simulated import commands
from lab.simulated.machine import APT_SOURCE_PATH, Machine
from lab.simulated.output import Output
from tests.simulated.conftest import JobRunner

EFFECTS = 12  # of the commands of tondi's migration, on files and units
TONDI = Migrate("tondi", "manager")


class CommandCut(Exception):
    """Ends a command of the simulated host where it is."""


@dataclass
class Cutter:
    """Counts the effects of commands, and cuts the command after the effect `nth`. `active`: threads of commands."""

    imker: JobRunner
    nth: int
    active: set[int]
    count: int = 0

    def counted(self, work: Callable[..., Any]) -> Callable[..., Any]:
        def count(subject: str, *rest: Any) -> Any:
            result = work(subject, *rest)
            if threading.get_ident() in self.active and subject != fenced_shell.FENCE_FILE:
                self.count += 1
                if self.count == self.nth:
                    raise CommandCut
            return result

        return count

    def run_line(self, machine: Machine, line: str, stdin: str, source: str) -> Output:
        """Run a command. A cut one ends the connection as well."""
        self.active.add(threading.get_ident())
        try:
            return commands.run_line(machine, line, stdin, source)
        except CommandCut:
            self.imker.fleet.reset_ssh("tondi")
            return Output(255)
        finally:
            self.active.remove(threading.get_ident())


@pytest.mark.parametrize("nth", range(1, EFFECTS + 1))
def test_completes_a_migration_whose_command_was_cut(
    imker: JobRunner, monkeypatch: pytest.MonkeyPatch, nth: int
) -> None:
    machine, cutter = imker.fleet["tondi"], Cutter(imker, nth, set())
    originals = {path: machine.disk.texts[path] for path in (DEFAULTS_PATH, APT_SOURCE_PATH)}
    with monkeypatch.context() as cutting:
        for owner, name in ((machine.disk, "write"), (machine.disk, "copy"), (machine.disk, "remove")):
            cutting.setattr(owner, name, cutter.counted(getattr(owner, name)))
        cutting.setattr(machine.units, "start", cutter.counted(machine.units.start))
        cutting.setattr("lab.simulated.ssh_server.run_line", cutter.run_line)
        imker.run_job(TONDI)
    assert cutter.count >= nth, "the command was cut"
    last = imker.run_job(TONDI)[-1]
    assert last.outcome in ("done", "unchanged"), last
    assert imker.run_job(TONDI)[-1].outcome == "unchanged"
    assert invariants.nothing_done_twice(imker.fleet.world.history.actions()) == []
    assert files.ROLLBACK_FILE not in machine.disk.texts
    copies = sorted(path for path in machine.disk.texts if ".imker-" in path)
    first = {path: next(copy for copy in copies if copy.startswith(path)) for path in originals}
    assert {path: machine.disk.texts[copy] for path, copy in first.items()} == originals, "the oldest backups"
