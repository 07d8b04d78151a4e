"""Run root commands with a fencing token. The host rejects commands whose token is older than the latest it has seen.

In: a lock's Lease, and a function that claims a host or the swarm with its token. Out: the claimed token. A holder that
slept past its lease, or that Redis has lost, gets Superseded at its next command.
"""

import re
from collections.abc import Callable
from dataclasses import replace

from jobs.connectors.shell import Command, Output, Shell, script, sudo
from jobs.errors import BrokenFencingToken, JobError, NotSent, Superseded, Unreachable
from jobs.locking.fencing_token import MAX_NUMBER, FencingToken
from jobs.locking.lease import Lease

CLAIM_TIMEOUT = 60  # seconds to wait for another run's command, before a step
COMMAND_TIMEOUT = 25  # seconds to wait for another run's command, within a step
REFUSAL = re.compile(r"^imker-fence (?:busy|later|broken) (.{0,200})", re.MULTILINE)


def claim_token(lease: Lease, claim: Callable[[FencingToken], None]) -> FencingToken:
    """Claim with the lease's token and return it. If Redis lost its counter, raise the token's number and retry.

    Raise Superseded if the lease no longer holds the lock.
    """
    try:
        claim(lease.token)
    except Superseded as later:
        number = lease.raise_token_above(later.token_number)
        if not number:
            raise
        token = replace(lease.token, number=number)
        claim(token)
        return token
    return lease.token


class FencedShell:
    """A Shell whose root commands the host runs one at a time, and only until a later run claims the host."""

    def __init__(self, shell: Shell, token: FencingToken) -> None:
        self._shell = shell
        self._has_started = True  # the step has sent a command
        self._has_claimed = True  # the step has sent a root command
        self._fence = script(FENCE_SCRIPT, FENCE_FILE, *token.as_words)

    @property
    def host(self) -> str:
        return self._shell.host

    def claim_host(self) -> None:
        """Claim the host before a step that runs no command on it. Reconnect if the connection was lost."""
        claim = sudo("true", timeout=20)
        try:
            self._run_fenced(claim, CLAIM_TIMEOUT)
        except Unreachable:
            self._shell.reconnect()
            self._run_fenced(claim, CLAIM_TIMEOUT)

    def start_step(self) -> None:
        """Let the first root command of a step claim the host for the step."""
        self._has_started = self._has_claimed = False

    def run(self, command: Command) -> Output:
        """Run a command. Its timeout excludes the time that another run's command takes to finish.

        Reconnect if the connection was lost before the first command of a step.
        """
        has_started, self._has_started = self._has_started, True
        try:
            return self._run_once(command)
        except NotSent:
            if has_started:
                raise
            self._shell.reconnect()
            return self._run_once(command)

    def _run_once(self, command: Command) -> Output:
        if not command.sudo or command.read_only:
            return self._shell.run(command)
        output = self._run_fenced(command, COMMAND_TIMEOUT if self._has_claimed else CLAIM_TIMEOUT)
        self._has_claimed = True
        return output.check(self.host, command)

    def reconnect(self) -> None:
        self._shell.reconnect()

    def _run_fenced(self, command: Command, wait_seconds: int) -> Output:
        """Run a root command and return its output, with any exit status."""
        fenced = command.wrapped(*self._fence, str(wait_seconds))
        output = self._shell.run(replace(fenced, check=False, timeout=command.timeout + wait_seconds))
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
            f"a command of run {other.run or 'unknown'} is still running on {self.host} after {wait_seconds} s",
            host=self.host,
            hint=f"To find the process on {self.host}, run `fuser -v {FENCE_FILE.rpartition('/')[0]}`",
        )


FENCE_FILE = "/var/lib/imker/fence"  # the token of the latest run that may change this host
BUSY_EXIT, SUPERSEDED_EXIT, BROKEN_EXIT = 75, 76, 77  # exit codes of the script itself
# The script runs a command with the token $2 $3 $4 (number, run, since) if the host has seen no number as high from
# another run. It holds a file lock until the command ends, so that commands of two runs never overlap, even after a
# lost connection. $5: seconds to wait for that lock. Text that is not a number counts as 0. A number above the maximum
# is rejected, as `[` would fail on it and a lower token would replace it.
FENCE_SCRIPT = f"""
set -e
umask 022; mkdir -p -- "${{1%/*}}"; exec 9<"${{1%/*}}"
flock -w "$5" 9 || {{ echo "imker-fence busy $(head -c 200 -- "$1" 2>/dev/null)" >&2; exit {BUSY_EXIT}; }}
seen=$(head -c 200 -- "$1" 2>/dev/null || true); number=${{seen%% *}}
case $number in ''|*[!0-9]*) number=0 ;; esac
if [ "$seen" != "$2 $3 $4" ]; then
  if [ "${{#number}}" -gt 16 ] || [ "$number" -gt {MAX_NUMBER} ]; then
    echo "imker-fence broken $seen" >&2; exit {BROKEN_EXIT}
  fi
  if [ "$number" -ge "$2" ]; then echo "imker-fence later $seen" >&2; exit {SUPERSEDED_EXIT}; fi
  echo "$2 $3 $4" >"$1~"; mv -f -- "$1~" "$1"
fi
shift 5; exec "$@"
"""
