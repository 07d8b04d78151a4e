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
    by = ""

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

    def __init__(self, host: str, what: str, code: int, stderr: str, *, hint: str = "", check: str = "") -> None:
        said = stderr.strip().splitlines()[-1:] or ["it said nothing"]
        super().__init__(f"{what} failed on {host} (exit {code}): {said[0]}", host=host, hint=hint, check=check)
        self.code = code
        self.stderr = stderr


class EngineRefused(JobError):
    pass


class TimedOut(JobError):
    pass


class Drifted(JobError):
    hint = "Ask again to see what is true now."


class Paused(JobError):
    """Somebody said so; what was done stays done. `whole`: the fleet's run that was paused, "" for this one."""

    def __init__(self, by: str, whole: str = "") -> None:
        super().__init__("paused")
        self.by = by
        self.whole = whole


class Cancelled(JobError):
    """As Paused, and for good."""

    def __init__(self, by: str, why: str = "") -> None:
        super().__init__(f"cancelled: {why}" if why else "cancelled")
        self.by = by


class LockHeld(JobError):
    """`name`: what is locked; `since`: UNIX seconds."""

    def __init__(self, name: str, holder: str, since: float, what: str) -> None:
        super().__init__(
            f"{name} is being changed by run {holder} since {_clock(since)} UTC ({what})",
            hint=f"/swarm status {holder} shows how far it is; ask again when it is over.",
        )
        self.holder = holder
        self.since = since
        self.what = what


class Superseded(JobError):
    """What was to be changed says itself that a later run has it. `where`: a host's name, or "the swarm";

    `fence`: that run's number, `since`: when it took it, UNIX seconds.
    """

    def __init__(self, where: str, fence: int, run: str, since: float) -> None:
        super().__init__(
            f"{where} refuses this run's changes: run {run} has it since {_clock(since)} UTC (fence {fence})",
            hint=f"/swarm status {run} shows how far it is; ask again when it is over.",
        )
        self.fence = fence
        self.state = f"What this run had done stays done; what comes next is run {run}'s."


class BrokenFence(JobError):
    """A fencing number that no run can have, where a run claims. `of`: the host's name, or "swarm", for the repair."""

    def __init__(self, where: str, said: str, of: str) -> None:
        super().__init__(
            f"{where} has a fencing number that no run has: {one_line(said, 60)}",
            hint=f"Check that no run is on it: /swarm status. On the RQ workers' machine: python -m jobs repair {of}",
        )


class Broke(JobError):
    """Imker's own fault, raised from what it was: only the log has that, as it may hold anything."""

    def __init__(self, host: str) -> None:
        where = f" on {host}" if host else ""
        super().__init__(f"Imker itself broke{where}; the RQ worker's log has the traceback", host=host)


def _clock(since: float) -> str:
    return time.strftime("%H:%M:%S", time.gmtime(since))
