"""Recheck runs that were reported as lost, as long as their jobs could still be running.

RQ's job status is not signed, so anyone who can write to Redis can fake it. If the job itself reports its outcome, that
counts: its run is opened again, and so is the fleet it belongs to.
"""

import structlog

from bot.runs.queue import JOB_TIMEOUT
from bot.runs.store import RunStore
from bot.state.run_state import RunState

log = structlog.get_logger()


def watch_lost(runs: RunStore, state: RunState) -> None:
    """Recheck a lost run until a job that started at the last moment must have ended."""
    if state.status == "lost":
        runs.lost.add(state.record.run, state.record.expires + JOB_TIMEOUT)


def recheck_lost(runs: RunStore, run: str, until: float, now: float) -> None:
    """Reopen a lost run whose job has reported its outcome. `until`, `now`: UNIX seconds."""
    snapshot = runs.snapshot(run)
    if snapshot is None or now > until:
        return runs.lost.remove(run)
    state = snapshot.state
    if state.status != "lost":
        log.warning("reopened a run that RQ had reported as failed", run=run, status=state.status)
        for lost in filter(None, (run, state.record.parent_run)):
            runs.reopen(lost)
        runs.lost.remove(run)
    return None
