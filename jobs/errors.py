"""Define the errors of a job. Each says what failed and what to do next, and never holds a secret.

JobError
├ Unreachable         SSH or the Engine does not respond
│ ├ NoAnswer          the Engine did not answer in time
│ └ NotSent           the connection was lost before a command was sent
├ CommandFailed       a remote command failed: its name, exit status, and the end of stderr
├ EngineRefused       the Engine API rejected a request
├ TimedOut            an expected state was not reached in time
├ StateChanged        the facts changed after they were approved
├ Paused, Cancelled   a user stopped the run
├ LockHeld            another run holds the lock: which, since when, for what
├ Superseded          a later run has claimed the host or the swarm
├ BrokenFencingToken  a stored fencing number is invalid
├ InternalError       a bug in Imker
├ RolledBack          the change failed, and the host was rolled back (jobs.execute.rollback)
└ RollbackFailed      the change failed, and the rollback failed (jobs.execute.rollback)
"""

import time

from imker.protocol.next_command import BotCommand, NextCommand
from imker.text import one_line

MAX_TEXT_LENGTH = 2000  # characters of each text
RUN_AGAIN = "Run the command again when that run has finished."


class JobError(Exception):
    """Base class of all. Its texts are safe to show, whatever text from a host they include.

    `summary`: what failed. `hint`: what to do next. `next_commands`: what to type next. `host`: the host it is about,
    "" for none. `state`: the state in which the host was left, if known. `user`: the Slack user ID of who stopped the
    run. `check`: the preflight check that this error answers, "" for none.
    """

    hint = ""
    state = ""
    user = ""

    def __init__(
        self,
        summary: str,
        *,
        host: str = "",
        hint: str = "",
        state: str = "",
        check: str = "",
        next_commands: tuple[NextCommand, ...] = (),
    ) -> None:
        self.summary = one_line(summary, MAX_TEXT_LENGTH)
        super().__init__(self.summary)
        self.host = host
        self.hint = one_line(hint, MAX_TEXT_LENGTH) or self.hint
        self.state = one_line(state, MAX_TEXT_LENGTH) or self.state
        self.check = check
        self.next_commands = next_commands


class Unreachable(JobError):
    """SSH or the Engine does not respond."""


class NoAnswer(Unreachable):
    """The Engine did not answer in time. Asking again takes as long."""


class NotSent(Unreachable):
    """The connection was lost before a command was sent, so that it can be sent again."""


class CommandFailed(JobError):
    """A remote command failed. `code`: its exit status. `stderr`: the end of its standard error."""

    def __init__(self, host: str, command: str, code: int, stderr: str, *, hint: str = "", check: str = "") -> None:
        last_line = stderr.strip().splitlines()[-1:] or ["no error output"]
        super().__init__(f"{command} failed on {host} (exit {code}): {last_line[0]}", host=host, hint=hint, check=check)
        self.code = code
        self.stderr = stderr


class EngineRefused(JobError):
    """The Engine API rejected a request."""


class TimedOut(JobError):
    """An expected state was not reached in time."""


class StateChanged(JobError):
    """The facts changed after they were approved."""

    hint = "Run the command again to see the current state."


class Paused(JobError):
    """A user paused the run. `parent_run`: the fleet run that was paused, "" if it was this run."""

    def __init__(self, user: str, parent_run: str = "") -> None:
        super().__init__("paused")
        self.user = user
        self.parent_run = parent_run


class Cancelled(JobError):
    """A user cancelled the run, or its fleet run was stopped for a reason."""

    def __init__(self, user: str, why: str = "") -> None:
        super().__init__(f"cancelled: {why}" if why else "cancelled")
        self.user = user


class LockHeld(JobError):
    """Another run holds the lock. `name`: the lock. `holder`: that run. `since`: UNIX seconds."""

    def __init__(self, name: str, holder: str, since: float, purpose: str) -> None:
        super().__init__(
            f"{name} is locked by run {holder} since {_format_time(since)} UTC ({purpose})",
            hint=RUN_AGAIN,
            next_commands=(_show_progress(holder),),
        )
        self.holder = holder
        self.since = since
        self.purpose = purpose


class Superseded(JobError):
    """The host or the swarm has been claimed by a later run, and rejects this run's changes.

    `place`: the host's name, or "the swarm". `token_number`: the later run's fencing number. `since`: when it claimed
    the place, in UNIX seconds.
    """

    def __init__(self, place: str, token_number: int, run: str, since: float) -> None:
        super().__init__(
            f"{place} rejects changes of this run: run {run} claimed it at {_format_time(since)} UTC "
            f"(fencing token {token_number})",
            hint=RUN_AGAIN,
            next_commands=(_show_progress(run),),
        )
        self.token_number = token_number
        self.state = f"Completed steps are kept. Run {run} makes all further changes."


class BrokenFencingToken(JobError):
    """A stored fencing number is invalid. `lock_name`: the host's name, or "swarm", for the repair command."""

    def __init__(self, where: str, value: str, lock_name: str) -> None:
        super().__init__(
            f"{where} has an invalid fencing number: {one_line(value, 60)}",
            hint=f"Check that no run is changing it. Then run `imker repair {lock_name}` on the RQ workers' machine.",
            next_commands=(NextCommand(BotCommand("status"), "see the runs"),),
        )


class InternalError(JobError):
    """A bug in Imker. The original exception is only logged, because it may hold a secret."""

    def __init__(self, host: str) -> None:
        place = f" on {host}" if host else ""
        super().__init__(f"Imker hit an internal error{place}. Details are in the RQ worker's log", host=host)


def _show_progress(run: str) -> NextCommand:
    return NextCommand(BotCommand("status", run), "see its progress")


def _format_time(since: float) -> str:
    return time.strftime("%H:%M:%S", time.gmtime(since))
