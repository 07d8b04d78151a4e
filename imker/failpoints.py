"""Points where a death matters: between a deed and the note of it. Tests kill a process at each; else they are inert.

Armed by the environment alone, IMKER_FAULTS: a folder, in which a file named as a point ends the next process that
comes there. Who can set that, or write there, can kill the process anyway; nothing that is in Redis does it.
"""

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Literal, get_args

# What Slack delivers, until it is struck off.
BotFailpoint = Literal[
    "inbox.received",  # not written down yet
    "inbox.saved",  # written down, not acknowledged
    "inbox.acked",  # acknowledged, not dealt with
    "inbox.handled",  # dealt with, not struck off
    "run.audited",  # in the record, and no run yet
    "run.saved",  # a run, and no open one
    "run.opened",  # open, and no job
    "run.enqueued",  # RQ has its job, the bell has not rung
    "decision.received",
    "decision.saved",  # it holds, and nothing follows from it
    "decision.followed",  # what follows is enqueued, and nothing in the record
    "hold.saved",
]
# What Slack has, and nobody knows.
ReconcilerFailpoint = Literal[
    "message.tried",  # about to be posted
    "message.posted",
    "message.edited",
    "reply.posted",
    "report.posted",
    "checkpoint.posted",
    "daily.posted",
    "private.saved",  # the asker is to be told alone, and is not yet
    "host.started",  # one host of a fleet's, and not the next
    "run.closing",
]
JobFailpoint = Literal[
    "job.started",  # taken by an RQ worker, not looked at yet
    "job.admitted",  # its request is used up, and nothing is told
    "job.locked",
    "event.emitted",  # an event is in the run's stream, and not in the record
    "step.next",  # before each step of a plan
    "step.reported",  # told as begun, and not begun
    "step.done",  # done on the host, and not told
    "file.reported",  # saved and told, not written
    "upgrade.started",  # apt's unit runs on the host, and nobody follows it
    "upgrade.finished",  # it has ended, and nobody looked at how
    "restart.requested",  # of systemd, and nobody looked at what came of it
    "rollback.files",  # the old files are back, and the old package is not
    "rollback.package",  # that, too, and its Engine is not started
    "join.requested",  # the Engine was asked to join, and nobody waits for it
    "swarm.left",  # by the host, and it is still on the managers' list
    "job.ending",  # all is done but the last word
    "job.finished",  # the last word is told, RQ does not know
]
Failpoint = Literal[BotFailpoint, ReconcilerFailpoint, JobFailpoint]
FAILPOINTS: tuple[Failpoint, ...] = get_args(Failpoint)
FailpointHook = Callable[[Failpoint], None]


def failpoint(point: Failpoint) -> None:
    """Nothing, unless a test said otherwise."""
    if on_failpoint is not None:
        on_failpoint(point)


def _kill_once(folder: Path, point: Failpoint) -> None:
    """Once: the file is renamed to tell who it was, `POINT.PID`, by whoever comes first."""
    with suppress(FileNotFoundError):
        (folder / point).rename(folder / f"{point}.{os.getpid()}")
        os.kill(os.getpid(), signal.SIGKILL)


_FAILPOINT_DIR = os.environ.get("IMKER_FAULTS", "")
on_failpoint: FailpointHook | None = partial(_kill_once, Path(_FAILPOINT_DIR)) if _FAILPOINT_DIR else None
