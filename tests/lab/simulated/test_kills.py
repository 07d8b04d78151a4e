"""A job that dies right after any change it makes on a host: asking again arrives, and does nothing twice."""

import sys
from typing import Any

import pytest

from jobs import remote
from jobs.contract import Migrate, Planned
from jobs.gather import wait_for
from jobs.shell import Output
from jobs.ssh import SshShell
from lab.chaos import invariants

CHANGES = 14  # over SSH, in tondi's migration


class Killed(BaseException):
    """As SIGKILL: nothing on the way catches it as an error."""


@pytest.mark.parametrize("nth", range(1, CHANGES + 1))
def test_a_killed_job_is_gone_on_with(imker, monkeypatch: pytest.MonkeyPatch, nth: int) -> None:
    history = imker.fleet.world.history

    class Dying(SshShell):
        def run(self, *argv: str, **how: Any) -> Output:
            output = super().run(*argv, **how)
            changes = [deed for deed in history.deeds(host="tondi") if deed.kind in invariants.CHANGING]
            if len([deed for deed in changes if invariants.PROBE not in deed.what]) == nth:
                raise Killed
            return output

    with monkeypatch.context() as dying:
        dying.setattr(sys.modules[type(imker).__module__], "SshShell", Dying)
        with pytest.raises(Killed):
            imker.does(Migrate("tondi", "manager"))
    imker.redis.flushall()  # the dead job's locks, whose leases would end by themselves
    unit = imker.fleet["tondi"].units
    assert wait_for(lambda: not unit.running("imker-upgrade.service"), 10, 0.02)
    marked = remote.BEFORE in imker.fleet["tondi"].disk.texts
    *told, last = imker.does(Migrate("tondi", "manager"))
    findings = [finding for body in told if isinstance(body, Planned) for finding in body.findings]
    before = [finding.text for finding in findings if finding.check == "run before"]
    assert ["run run1 was the last" in text for text in before] == [True] * marked, "Redis has lost it, the host not"
    assert last.outcome == "done", last
    assert imker.does(Migrate("tondi", "manager"))[-1].outcome == "nothing"
    assert invariants.nothing_twice(history.deeds()) == []
    running = {one.name for one in imker.fleet["tondi"].containers.values() if one.running}
    assert running == {"web", "batch", "cache"}
