"""Look up runs: current state, hold, fleet, and what waits for a decision."""

from bot.records import QueueStatus, RunRecord
from bot.runs import holds, queue
from bot.runs.record_store import RecordStore
from bot.state.fleet_state import FleetState, fold_fleet, host_run_id
from bot.state.run_state import RunState, fold, pending_node, reported_nodes
from imker.protocol import version
from imker.protocol.commands import Hold


class RunQueries(RecordStore):
    """Read what is derived from records, events, and RQ's job status."""

    def run_state(self, record: RunRecord) -> RunState:
        """Fold the run's record, its events, and the status of its last job."""
        # The reconciler enqueues a recorded run that RQ does not have, until the request expires.
        if_missing: QueueStatus = "queued" if self._clock() < record.expires else "lost"
        job_status = queue.job_status(self._redis, version.job_id(record.run, record.job_count), if_missing)
        return fold(record, self.event_log(record.run), job_status, self._clock(), self._now())

    def fleet_state(self, view: RunState) -> FleetState | None:
        """Fold a fleet's run with its hosts' runs. Return None for any other run, and before the plan exists."""
        host_plans = view.fleet.host_plans if view.fleet else ()
        records = {plan.host: self.record(host_run_id(view.record.run, plan.host)) for plan in host_plans}
        host_runs = {host: self.run_state(record) for host, record in records.items() if record}
        return fold_fleet(view, host_runs, self.current_hold(view.record.run))

    def current_hold(self, run: str) -> Hold | None:
        """Return the latest pause, resume, or cancel of the run."""
        return holds.current(self._redis, self._key, run)

    def has_job(self, record: RunRecord) -> bool:
        """Return whether RQ knows the run's last job."""
        return queue.job_exists(self._redis, version.job_id(record.run, record.job_count))

    def find_waiting(self, target: str, channel: str) -> tuple[RunRecord, ...]:
        """Return this channel's run with that ID, or its runs about a node whose ID starts with `target`.

        Of several runs about one node only the latest counts. Runs that were decided count while none waits.
        """
        record_by_id = self.record(target)
        if record_by_id is not None and record_by_id.channel == channel:
            return (record_by_id,)
        views = [self.run_state(record) for record in self.open_records() if record.channel == channel]
        matching = [view for view in views if pending_node(view).startswith(target)]
        candidates = [view for view in matching if view.status == "waiting"] or matching
        by_age = sorted(candidates, key=lambda view: view.record.requested_at)
        return tuple({pending_node(view): view.record for view in by_age}.values())

    def has_reported_node(self, node: str, last: int) -> bool:
        """Return whether an open run or one of the `last` runs showed a node whose ID starts with `node`."""
        records = (*self.open_records(), *self.recent(last))
        return any(
            id.startswith(node) for record in records for id in reported_nodes(self.event_log(record.run).events)
        )
