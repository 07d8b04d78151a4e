"""Define failpoints: places where a crash would leave an action done but not recorded. Tests kill a process at each.

They do nothing unless the environment variable IMKER_FAULTS names a folder. A file in it with a failpoint's name kills
the next process that reaches this point. Nothing in Redis can arm them.
"""

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Literal, get_args

# From a delivery of Slack until it is removed from the inbox.
BotFailpoint = Literal[
    "inbox.received",  # not saved yet
    "inbox.saved",  # saved, not acknowledged
    "inbox.acked",  # acknowledged, not handled
    "inbox.handled",  # handled, not removed
    "run.audited",  # in the audit log, run not saved yet
    "run.saved",  # saved, not in the list of open runs
    "run.opened",  # open, no job enqueued
    "run.enqueued",  # job enqueued, reconciler not notified
    "decision.received",
    "decision.saved",  # saved, no next job
    "decision.followed",  # next job enqueued, not in the audit log
    "hold.saved",
]
# Slack has a message that Redis does not know of yet.
ReconcilerFailpoint = Literal[
    "message.tried",  # marked as tried, not posted
    "message.posted",
    "message.edited",
    "reply.posted",
    "alert.posted",
    "report.posted",
    "checkpoint.posted",
    "daily.posted",
    "private.saved",  # saved that the requester gets a private message, not sent
    "host.started",  # one host of a fleet started, the next not
    "run.closing",
]
JobFailpoint = Literal[
    "job.started",  # taken by an RQ worker, not checked yet
    "job.admitted",  # request consumed, no event emitted
    "job.locked",
    "event.emitted",  # event in the run's stream, not in the audit log
    "step.next",  # before each step of a plan
    "step.reported",  # reported as started, not started
    "step.done",  # done on the host, not reported
    "file.reported",  # reported, not backed up and written
    "upgrade.started",  # apt's unit runs on the host, not followed
    "upgrade.finished",  # apt's unit has ended, its result is not collected
    "restart.requested",  # requested from systemd, result not checked
    "rollback.files",  # files restored, package not
    "rollback.package",  # package restored, Engine not started
    "join.requested",  # join requested from the Engine, not waited for
    "swarm.left",  # the host has left, the managers still list the node
    "job.ending",  # all done, outcome not emitted
    "job.finished",  # outcome emitted, RQ not informed
]
Failpoint = Literal[BotFailpoint, ReconcilerFailpoint, JobFailpoint]
FAILPOINTS: tuple[Failpoint, ...] = get_args(Failpoint)
FailpointHook = Callable[[Failpoint], None]


def failpoint(point: Failpoint) -> None:
    """Mark a failpoint. Do nothing unless a test has set a hook."""
    if on_failpoint is not None:
        on_failpoint(point)


def _kill_once(folder: Path, point: Failpoint) -> None:
    """Kill this process if the failpoint is armed. The file is renamed to `POINT.PID`, so it works once."""
    with suppress(FileNotFoundError):
        (folder / point).rename(folder / f"{point}.{os.getpid()}")
        os.kill(os.getpid(), signal.SIGKILL)


_FAILPOINT_DIR = os.environ.get("IMKER_FAULTS", "")
on_failpoint: FailpointHook | None = partial(_kill_once, Path(_FAILPOINT_DIR)) if _FAILPOINT_DIR else None
