"""A later holder's number keeps an older one out, and what is changed checks it itself: a host, or the swarm.

In: a lock's Lease, and a way to claim with its Mark. Out: the Mark that holds. A holder that slept past its lease, or
whose Redis has forgotten it, is Superseded at its next word to the host.
"""

import re
from collections.abc import Callable
from dataclasses import replace

from jobs import remote
from jobs.errors import BrokenFence, JobError, Superseded, Unreachable
from jobs.lock import Lease, Mark
from jobs.shell import Output, Shell

CLAIM, COMMAND = 60, 25  # seconds to wait for another's command to end: at a run's or step's begin, and within one
SAID = re.compile(r"^imker-fence (?:busy|later|broken) (.{0,200})", re.MULTILINE)


def claimed(lease: Lease, claim: Callable[[Mark], None]) -> Mark:
    """Claims for good. Who holds the lock now is the latest: its number is raised, should Redis have lost count.

    Raises Superseded for who does not hold it any more.
    """
    try:
        claim(lease.mark)
    except Superseded as later:
        number = lease.above(later.fence)
        if not number:
            raise
        mark = replace(lease.mark, number=number)
        claim(mark)
        return mark
    return lease.mark


class Fenced:
    """A Shell whose commands as root a host runs only while no later run has claimed it. They change it one by one."""

    def __init__(self, shell: Shell, mark: Mark) -> None:
        self._shell = shell
        self._under = ("sh", "-c", remote.FENCED, "imker", remote.FENCE, *mark.words)

    @property
    def host(self) -> str:
        return self._shell.host

    def claim(self) -> None:
        """Before a step: a connection lost since the last one is made anew."""
        try:
            self._as_root(("true",), CLAIM)
        except Unreachable:
            self._shell.reconnect()
            self._as_root(("true",), CLAIM)

    def run(
        self,
        *argv: str,
        sudo: bool = False,
        stdin: str = "",
        check: bool = True,
        timeout: float = 60,
        under: tuple[str, ...] = (),
    ) -> Output:
        """`timeout`: from when no other's command runs any more."""
        if not sudo:
            return self._shell.run(*argv, stdin=stdin, check=check, timeout=timeout, under=under)
        said = self._as_root((*under, *argv), COMMAND, stdin, timeout)
        return said.or_failed(self.host, argv[0]) if check else said

    def reconnect(self) -> None:
        self._shell.reconnect()

    def _as_root(self, argv: tuple[str, ...], wait: int, stdin: str = "", timeout: float = 20) -> Output:
        under = (*self._under, str(wait))
        said = self._shell.run(*argv, sudo=True, stdin=stdin, check=False, timeout=timeout + wait, under=under)
        spoken = SAID.search(said.stderr) if said.code in (remote.BUSY, remote.LATER, remote.BROKEN) else None
        if spoken is not None and said.code == remote.BROKEN:
            raise BrokenFence(self.host, spoken[1], self.host)
        if spoken is not None:
            raise self._refused(said.code, Mark.of(spoken[1]), wait)
        return said

    def _refused(self, code: int, other: Mark, waited: int) -> JobError:
        if code == remote.LATER:
            return Superseded(self.host, other.number, other.run, other.since)
        return JobError(
            f"a command of run {other.run or 'unknown'} still runs on {self.host} after {waited} s",
            host=self.host,
            hint=f"See on {self.host} what hangs: fuser -v {remote.FENCE.rpartition('/')[0]}",
        )
