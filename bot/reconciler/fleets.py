"""Start a fleet's next hosts and its downloads, and answer its paused hosts. Needs Redis, and rarely Slack."""

import time
from collections.abc import Callable

from bot.records import RunRecord
from bot.runs.decisions import TamperedRecord
from bot.runs.snapshots import RunSnapshot
from bot.runs.store import RunStore
from bot.state.downloads import download_request
from bot.state.fleet_order import hosts_to_start
from bot.state.fleet_state import FleetState
from bot.state.host_runs import decisions_from_hold, host_run_record
from imker.failpoints import failpoint
from imker.protocol.commands import FleetCommand

StopIfRevoked = Callable[[RunSnapshot, FleetState | None], bool]


class FleetAdvancer:
    """Advance fleets. Repeating this is safe, also at the same time: RQ accepts each job once.

    `clock`: UNIX seconds; `stop_if_revoked`: cancels the run if its users have lost their rights, and returns whether
    it did.
    """

    def __init__(self, runs: RunStore, stop_if_revoked: StopIfRevoked, clock: Callable[[], float] = time.time) -> None:
        self._runs = runs
        self._stop_if_revoked = stop_if_revoked
        self._clock = clock

    def advance_all(self, is_leader: Callable[[], bool] = lambda: True) -> None:
        """Advance every open fleet, while this process leads. Runs that cannot be read are left to the reconciler."""
        for record in self._runs.open_records():
            if not isinstance(record.command, FleetCommand):
                continue
            try:
                snapshot = self._runs.snapshot(record.run)
                fleet = self._runs.fleet_state(snapshot) if snapshot else None
            except TamperedRecord:  # the reconciler logs it
                continue
            if snapshot and fleet and is_leader() and not self._stop_if_revoked(snapshot, fleet):
                self.advance(fleet)

    def advance(self, fleet: FleetState) -> None:
        """Start the hosts that may start. `fleet`: of a run whose rights were checked."""
        for host in hosts_to_start(fleet):
            self._runs.start(host_run_record(fleet, host, self._clock()))
            failpoint("host.started")
        for record in self._half_started(fleet):
            self._runs.start(record)
        if request := download_request(fleet):
            self._runs.enqueue_once(request)
        for host_state, decision in decisions_from_hold(fleet):
            self._runs.decide(host_state.record, decision)

    def _half_started(self, fleet: FleetState) -> list[RunRecord]:
        """Return the runs of hosts that were recorded by a process that died before it added them to the open runs."""
        queued = [host.run.record for host in fleet.hosts if host.run and host.run.status == "queued"]
        opened = set(self._runs.open_runs()) if queued else set[str]()
        return [record for record in queued if record.job_count == 1 and record.run not in opened]
