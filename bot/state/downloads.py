"""Decide when a fleet's packages are downloaded ahead, and when the downloads stop. Pure."""

from bot.state.fleet_order import may_start
from bot.state.fleet_state import FleetState
from imker.protocol.commands import Approval, DownloadPackages, Request, StopDownloads
from imker.protocol.run_id import run_id

# Seconds after the start in which downloads are started or stopped: by then all have ended. Shorter than the time for
# which RQ knows the job IDs as used, so that each job runs once.
DOWNLOAD_TTL = 3600.0


def download_request(fleet: FleetState) -> Request | None:
    """Return the request that starts the downloads, or stops them, None if there is nothing to do.

    They start with the first host, on all hosts that follow it. They stop when the fleet is paused or cancelled, and
    after a failure. Repeating a request is safe.
    """
    ahead = tuple(host.plan.host for host in fleet.with_status("pending") if host.plan.packages)
    if fleet.start is None or not ahead or fleet.run.now - fleet.start.decided_at > DOWNLOAD_TTL:
        return None
    first = [host for host in fleet.hosts if host.plan.wave == fleet.hosts[0].plan.wave]
    if not may_start(fleet):
        return _request(fleet, 2, StopDownloads(ahead))
    if all(host.status in ("pending", "running") for host in first):
        return _request(fleet, 1, DownloadPackages(ahead))
    return None


def _request(fleet: FleetState, job: int, command: DownloadPackages | StopDownloads) -> Request:
    """Return the request of the fleet's downloads, which have no message of their own."""
    assert fleet.start is not None, "nothing is downloaded before the start"
    record, start = fleet.run.record, fleet.start
    return Request(
        run_id(f"{record.run}:downloads"),
        job,
        command,
        record.requester,
        (Approval(start.user, start.fingerprint, start.decided_at),),
        record.run,
        command.hosts,
        start.decided_at + DOWNLOAD_TTL,
        channel=record.channel,
    )
