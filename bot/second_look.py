"""Looks again at runs that were shown as lost, for as long as their jobs may take.

RQ's word is not signed: whoever can write to Redis can put it there. When the job itself tells how it ended, that
counts: its run is opened again, and so is the fleet's that it belongs to.
"""

import structlog

from bot.progress import RunView
from bot.queue import TIMEOUT
from bot.runs import Runs

log = structlog.get_logger()


def later(runs: Runs, view: RunView) -> None:
    """Have a lost run looked at until a job that began at the last moment must have ended."""
    if view.state == "lost":
        runs.lost.keep(view.record.run, view.record.expires + TIMEOUT)


def again(runs: Runs, run: str, until: float, now: float) -> None:
    """Open a lost run whose job told its end after all. `until`, `now`: UNIX seconds."""
    record = runs.record(run)
    view = runs.view(record) if record else None
    if view is None or now > until:
        return runs.lost.forget(run)
    if view.state != "lost":
        log.warning("a run that RQ reported as failed goes on after all", run=run, state=view.state)
        for one in filter(None, (run, view.record.part_of)):
            runs.reopen(one)
        runs.lost.forget(run)
    return None
