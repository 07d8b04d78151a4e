"""Looks again at runs that were shown as lost, for as long as their jobs may take.

RQ's word is not signed: whoever can write to Redis can put it there. When the job itself tells how it ended, that
counts: its run is opened again, and so is the fleet's that it belongs to.
"""

import structlog

from bot.runs.queue import JOB_TIMEOUT
from bot.runs.store import RunStore
from bot.state.run_state import RunState

log = structlog.get_logger()


def watch_lost(runs: RunStore, view: RunState) -> None:
    """Have a lost run looked at until a job that began at the last moment must have ended."""
    if view.status == "lost":
        runs.lost.add(view.record.run, view.record.expires + JOB_TIMEOUT)


def recheck_lost(runs: RunStore, run: str, until: float, now: float) -> None:
    """Open a lost run whose job told its end after all. `until`, `now`: UNIX seconds."""
    record = runs.record(run)
    view = runs.run_state(record) if record else None
    if view is None or now > until:
        return runs.lost.remove(run)
    if view.status != "lost":
        log.warning("a run that RQ reported as failed goes on after all", run=run, state=view.status)
        for one in filter(None, (run, view.record.parent_run)):
            runs.reopen(one)
        runs.lost.remove(run)
    return None
