"""Kill a job right after any change on a host: the repeated command succeeds and repeats no change."""

import sys

import pytest

from imker.protocol.commands import Migrate
from imker.protocol.events import Planned
from jobs.connectors import files
from jobs.connectors.shell import Command, Output
from jobs.connectors.ssh import SshShell
from jobs.execute.polling import wait_for
from lab.chaos import invariants
from tests.simulated.conftest import JobRunner

CHANGES = 8  # commands over SSH that change something, in tondi's migration


class Killed(BaseException):
    """Stands for SIGKILL: a BaseException that no code on the way catches."""


@pytest.mark.parametrize("nth", range(1, CHANGES + 1))
def test_continues_a_killed_job(imker: JobRunner, monkeypatch: pytest.MonkeyPatch, nth: int) -> None:
    history = imker.fleet.world.history

    class Dying(SshShell):
        def run(self, command: Command) -> Output:
            output = super().run(command)
            changes = [deed for deed in history.actions(host="tondi") if deed.kind in invariants.HOST_CHANGES]
            if len([deed for deed in changes if invariants.PROBE not in deed.detail]) == nth:
                raise Killed
            return output

    with monkeypatch.context() as dying:
        dying.setattr(sys.modules[type(imker).__module__], "SshShell", Dying)
        with pytest.raises(Killed):
            imker.run_job(Migrate("tondi", "manager"))
    imker.redis.flushall()  # the dead job's locks, whose leases would end by themselves
    unit = imker.fleet["tondi"].units
    assert wait_for(lambda: not unit.is_running("imker-upgrade.service"), 10, 0.02)
    marked = files.ROLLBACK_FILE in imker.fleet["tondi"].disk.texts
    *events, last = imker.run_job(Migrate("tondi", "manager"))
    findings = [finding for body in events if isinstance(body, Planned) for finding in body.findings]
    before = [finding.text for finding in findings if finding.check == "run before"]
    assert ["run run1 was the last" in text for text in before] == [True] * marked, "Redis has lost it, the host not"
    assert last.outcome == "done", last
    assert imker.run_job(Migrate("tondi", "manager"))[-1].outcome == "unchanged"
    assert invariants.nothing_done_twice(history.actions()) == []
    running = {container.name for container in imker.fleet["tondi"].containers.values() if container.running}
    assert running == {"web", "batch", "cache"}
