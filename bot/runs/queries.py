"""Look up runs: a fleet, and what waits for a decision."""

from itertools import chain

from bot.records import RunRecord
from bot.runs import holds, queue
from bot.runs.posted_messages import SHOWN
from bot.runs.snapshots import RunSnapshot, SnapshotStore
from bot.state.fleet_state import FleetState, fold_fleet
from bot.state.run_state import pending_node, reported_nodes
from imker.protocol import version
from imker.protocol.commands import Hold
from imker.protocol.run_id import host_run_id


class RunQueries(SnapshotStore):
    """Read what is derived from several runs, or from less than a whole run."""

    def fleet_state(self, fleet: RunSnapshot) -> FleetState | None:
        """Fold a fleet's run with its hosts' runs. Return None for any other run, and before the plan exists."""
        host_plans = fleet.state.fleet.host_plans if fleet.state.fleet else ()
        runs = {plan.host: self.snapshot(host_run_id(fleet.record.run, plan.host)) for plan in host_plans}
        return fold_fleet(fleet.state, {host: run.state for host, run in runs.items() if run}, fleet.hold)

    def open_holds(self) -> dict[str, Hold | None]:
        """Return the latest pause, resume, or cancel of each open run."""
        return holds.current(self._redis, self._key, self.open_runs())

    def is_private(self, record: RunRecord) -> bool:
        """Return whether only the requester may see the run: they have not posted its answer to the channel."""
        return record.is_private and SHOWN not in self.posted_messages.get(record.run)

    def is_hidden(self, record: RunRecord, user: str) -> bool:
        """Return whether the run is private to another user."""
        return record.requester != user and self.is_private(record)

    def has_job(self, record: RunRecord) -> bool:
        """Return whether RQ knows the run's last job."""
        return queue.job_exists(self._redis, version.job_id(record.run, record.job_count))

    def open_in(self, channel: str) -> list[RunSnapshot]:
        """Return the open runs of this channel that can be read."""
        return list(self.snapshots(record.run for record in self.open_records() if record.channel == channel))

    def find_waiting(self, target: str, channel: str) -> tuple[RunSnapshot, ...]:
        """Return this channel's run with that ID, or its runs about a node whose ID starts with `target`.

        Of several runs about one node only the latest counts. Runs that were decided count while none waits.
        """
        named = self.snapshot(target)
        if named is not None and named.record.channel == channel:
            return (named,)
        matching = [run for run in self.open_in(channel) if pending_node(run.state).startswith(target)]
        candidates = [run for run in matching if run.state.status == "waiting"] or matching
        by_age = sorted(candidates, key=lambda run: run.record.requested_at)
        return tuple({pending_node(run.state): run for run in by_age}.values())

    def has_reported_node(self, node: str, last: int) -> bool:
        """Return whether an open run or one of the `last` runs showed a node whose ID starts with `node`."""
        runs = dict.fromkeys(record.run for record in chain(self.open_records(), self.recent(last)))
        return any(id.startswith(node) for run in self.snapshots(runs) for id in reported_nodes(run.log.events))
