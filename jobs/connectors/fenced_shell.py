"""A later holder's number keeps an older one out, and what is changed checks it itself: a host, or the swarm.

In: a lock's Lease, and a way to claim with its Mark. Out: the Mark that holds. A holder that slept past its lease, or
whose Redis has forgotten it, is Superseded at its next word to the host.
"""

import re
from collections.abc import Callable
from dataclasses import replace

from jobs.connectors.shell import Output, Shell
from jobs.errors import BrokenFencingToken, JobError, Superseded, Unreachable
from jobs.locking.fencing_token import MAX_NUMBER, FencingToken
from jobs.locking.lease import Lease

CLAIM_TIMEOUT, COMMAND_TIMEOUT = (
    60,
    25,
)  # seconds to wait for another's command to end: at a run's or step's begin, and within one
REFUSAL = re.compile(r"^imker-fence (?:busy|later|broken) (.{0,200})", re.MULTILINE)


def claim_token(lease: Lease, claim: Callable[[FencingToken], None]) -> FencingToken:
    """Claims for good. Who holds the lock now is the latest: its number is raised, should Redis have lost count.

    Raises Superseded for who does not hold it any more.
    """
    try:
        claim(lease.token)
    except Superseded as later:
        number = lease.raise_token_above(later.token_number)
        if not number:
            raise
        mark = replace(lease.token, number=number)
        claim(mark)
        return mark
    return lease.token


class FencedShell:
    """A Shell whose commands as root a host runs only while no later run has claimed it. They change it one by one."""

    def __init__(self, shell: Shell, token: FencingToken) -> None:
        self._shell = shell
        self._wrapper = ("sh", "-c", FENCE_SCRIPT, "imker", FENCE_FILE, *token.as_words)

    @property
    def host(self) -> str:
        return self._shell.host

    def claim_host(self) -> None:
        """Before a step: a connection lost since the last one is made anew."""
        try:
            self._run_as_root(("true",), CLAIM_TIMEOUT)
        except Unreachable:
            self._shell.reconnect()
            self._run_as_root(("true",), CLAIM_TIMEOUT)

    def run(
        self,
        *argv: str,
        sudo: bool = False,
        stdin: str = "",
        check: bool = True,
        timeout: float = 60,
        wrapper: tuple[str, ...] = (),
    ) -> Output:
        """`timeout`: from when no other's command runs any more."""
        if not sudo:
            return self._shell.run(*argv, stdin=stdin, check=check, timeout=timeout, wrapper=wrapper)
        output = self._run_as_root((*wrapper, *argv), COMMAND_TIMEOUT, stdin, timeout)
        return output.check(self.host, argv[0]) if check else output

    def reconnect(self) -> None:
        self._shell.reconnect()

    def _run_as_root(self, argv: tuple[str, ...], wait_seconds: int, stdin: str = "", timeout: float = 20) -> Output:
        under = (*self._wrapper, str(wait_seconds))
        output = self._shell.run(
            *argv, sudo=True, stdin=stdin, check=False, timeout=timeout + wait_seconds, wrapper=under
        )
        reply = REFUSAL.search(output.stderr) if output.code in (BUSY_EXIT, SUPERSEDED_EXIT, BROKEN_EXIT) else None
        if reply is not None and output.code == BROKEN_EXIT:
            raise BrokenFencingToken(self.host, reply[1], self.host)
        if reply is not None:
            raise self._refusal_error(output.code, FencingToken.parse(reply[1]), wait_seconds)
        return output

    def _refusal_error(self, code: int, other: FencingToken, wait_seconds: int) -> JobError:
        if code == SUPERSEDED_EXIT:
            return Superseded(self.host, other.number, other.run, other.since)
        return JobError(
            f"a command of run {other.run or 'unknown'} still runs on {self.host} after {wait_seconds} s",
            host=self.host,
            hint=f"See on {self.host} what hangs: fuser -v {FENCE_FILE.rpartition('/')[0]}",
        )


FENCE_FILE = "/var/lib/imker/fence"  # the mark of the latest run that may change this host
BUSY_EXIT, SUPERSEDED_EXIT, BROKEN_EXIT = 75, 76, 77  # exit codes of a refusal
# Runs a command for the mark $2 $3 $4 (number, run, since), if no other's number is as high. The lock is kept until the
# command ends: two runs' changes never overlap, whatever has become of their connections. $5: seconds to wait for it.
# What is no number counts as 0; of one too high, `[` itself would fail, and the lower mark take its place.
FENCE_SCRIPT = f"""
set -e
umask 022; mkdir -p -- "${{1%/*}}"; exec 9<"${{1%/*}}"
flock -w "$5" 9 || {{ echo "imker-fence busy $(head -c 200 -- "$1" 2>/dev/null)" >&2; exit {BUSY_EXIT}; }}
seen=$(head -c 200 -- "$1" 2>/dev/null || true); number=${{seen%% *}}
case $number in ''|*[!0-9]*) number=0 ;; esac
if [ "$seen" != "$2 $3 $4" ]; then
  if [ "${{#number}}" -gt 16 ] || [ "$number" -gt {MAX_NUMBER} ]; then echo "imker-fence broken $seen" >&2; exit {BROKEN_EXIT}; fi
  if [ "$number" -ge "$2" ]; then echo "imker-fence later $seen" >&2; exit {SUPERSEDED_EXIT}; fi
  echo "$2 $3 $4" >"$1~"; mv -f -- "$1~" "$1"
fi
shift 5; exec "$@"
"""
