"""Check whether a user paused or cancelled the run, or the fleet run that it is part of."""

from contextlib import suppress

from imker.protocol.commands import Accept, Hold, Reject, Request
from jobs.context import JobContext
from jobs.errors import Cancelled, Paused


def check_hold(context: JobContext) -> None:
    """Raise Paused or Cancelled if a user held this run, or the fleet run that it is part of."""
    for run in filter(None, (context.request.run, context.request.parent_run)):
        hold = context.events.current_hold(run)
        if hold is None or (run != context.request.run and not _stops(hold, context.request)):
            continue
        if hold.action == "cancel":
            raise Cancelled(hold.user, hold.why)
        if hold.action == "pause":
            raise Paused(hold.user, "" if run == context.request.run else run)


def check_cancelled(context: JobContext) -> None:
    """Raise Cancelled if a user cancelled this run. A pause waits for the end of the step."""
    with suppress(Paused):
        check_hold(context)


def _stops(hold: Hold, request: Request) -> bool:
    """Return whether a fleet's hold stops this job. A manager is accepted or rejected also in a paused fleet.

    After a cancel, only a later decision on the manager is carried out.
    """
    if not isinstance(request.command, Accept | Reject):
        return True
    decided_at = max((approval.approved_at for approval in request.approvals), default=0.0)
    return hold.action == "cancel" and hold.requested_at > decided_at
