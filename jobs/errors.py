"""What can go wrong at the edges. Every error says what failed (`summary`) and what to do (`hint`), never a secret.

JobError
├ Unreachable     SSH or the Engine did not answer       ├ TimedOut  waited for a state that did not come
├ CommandFailed   argv, exit code, tail of stderr        ├ LockHeld  by whom, since when, for what
├ EngineRefused   the Engine API said no                 ├ Drifted   the facts changed since they were approved
├ Superseded      a later run has claimed the host       ├ Broke     Imker itself
└ BrokenFence     a fencing number that is none
"""

import time

from imker.text import one_line

LONGEST = 2000  # characters of each text


class JobError(Exception):
    """Base of all, harmless to show whatever a host said. `host` is "" when it is about no one host.

    `state`: in what state it was left, if that is known; `by`: whose word it was, a Slack user ID; `check`: the name of
    the check before a migration that this answers, if it does.
    """

    hint = ""
    state = ""
    user = ""

    def __init__(self, summary: str, *, host: str = "", hint: str = "", state: str = "", check: str = "") -> None:
        self.summary = one_line(summary, LONGEST)
        super().__init__(self.summary)
        self.host = host
        self.hint = one_line(hint, LONGEST) or self.hint
        self.state = one_line(state, LONGEST) or self.state
        self.check = check


class Unreachable(JobError):
    pass


class CommandFailed(JobError):
    """`stderr` is the tail of what the command said; `code` its exit status."""

    def __init__(self, host: str, command: str, code: int, stderr: str, *, hint: str = "", check: str = "") -> None:
        last_line = stderr.strip().splitlines()[-1:] or ["it said nothing"]
        super().__init__(f"{command} failed on {host} (exit {code}): {last_line[0]}", host=host, hint=hint, check=check)
        self.code = code
        self.stderr = stderr


class EngineRefused(JobError):
    pass


class TimedOut(JobError):
    pass


class StateChanged(JobError):
    hint = "Ask again to see what is true now."


class Paused(JobError):
    """Somebody said so; what was done stays done. `whole`: the fleet's run that was paused, "" for this one."""

    def __init__(self, user: str, parent_run: str = "") -> None:
        super().__init__("paused")
        self.user = user
        self.parent_run = parent_run


class Cancelled(JobError):
    """As Paused, and for good."""

    def __init__(self, user: str, why: str = "") -> None:
        super().__init__(f"cancelled: {why}" if why else "cancelled")
        self.user = user


class LockHeld(JobError):
    """`name`: what is locked; `since`: UNIX seconds."""

    def __init__(self, name: str, holder: str, since: float, purpose: str) -> None:
        super().__init__(
            f"{name} is being changed by run {holder} since {_format_time(since)} UTC ({purpose})",
            hint=f"/swarm status {holder} shows how far it is; ask again when it is over.",
        )
        self.holder = holder
        self.since = since
        self.purpose = purpose


class Superseded(JobError):
    """What was to be changed says itself that a later run has it. `where`: a host's name, or "the swarm";

    `fence`: that run's number, `since`: when it took it, UNIX seconds.
    """

    def __init__(self, place: str, token_number: int, run: str, since: float) -> None:
        super().__init__(
            f"{place} refuses this run's changes: run {run} has it since {_format_time(since)} UTC (fence {token_number})",
            hint=f"/swarm status {run} shows how far it is; ask again when it is over.",
        )
        self.token_number = token_number
        self.state = f"What this run had done stays done; what comes next is run {run}'s."


class BrokenFencingToken(JobError):
    """A fencing number that no run can have, where a run claims. `of`: the host's name, or "swarm", for the repair."""

    def __init__(self, where: str, value: str, lock_name: str) -> None:
        super().__init__(
            f"{where} has a fencing number that no run has: {one_line(value, 60)}",
            hint=f"Check that no run is on it: /swarm status. On the RQ workers' machine: python -m jobs repair {lock_name}",
        )


class InternalError(JobError):
    """Imker's own fault, raised from what it was: only the log has that, as it may hold anything."""

    def __init__(self, host: str) -> None:
        place = f" on {host}" if host else ""
        super().__init__(f"Imker itself broke{place}; the RQ worker's log has the traceback", host=host)


def _format_time(since: float) -> str:
    return time.strftime("%H:%M:%S", time.gmtime(since))
