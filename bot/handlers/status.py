"""Reply to `/swarm status`: the runs of a channel that the requester may see."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from bot.auth.policy import Actor
from bot.handlers.access import Access
from bot.messages.block_kit import Message
from bot.messages.replies import responses, status
from bot.records import RunRecord
from bot.runs.snapshots import RunSnapshot
from bot.runs.store import RunStore
from bot.state.fleet_state import RunWithFleet

MAX_SEARCHED_RUNS = 200  # latest runs that are searched
LISTED_RUNS = 12  # runs in a list, unless more are open


@dataclass(frozen=True)
class StatusHandler:
    """Describe runs to people who may see them."""

    access: Access
    runs: RunStore

    def status(self, actor: Actor, channel: str, run: str | None) -> Message:
        """Return the details of one run, or the list of open and recent runs. `run`: its ID, None for the list."""
        if run is None:
            return status.run_list([run_with_fleet(self.runs, each) for each in self._listed(actor, channel)])
        snapshot = self.runs.snapshot(run)
        if snapshot is None or not self._may_see(actor, snapshot.record, channel):
            return responses.not_found(f"There is no run `{run}` in this channel. See `/swarm status`.")
        return status.run_details(*run_with_fleet(self.runs, snapshot))

    def _listed(self, actor: Actor, channel: str) -> list[RunSnapshot]:
        """Return all open runs, then recent ones up to `LISTED_RUNS`."""
        open_runs = {record.run: record for record in self.runs.open_records()}
        others = [record for record in self.runs.recent(MAX_SEARCHED_RUNS) if record.run not in open_runs]
        listed = list(self._visible(open_runs.values(), actor, channel))
        return [*listed, *islice(self._visible(others, actor, channel), max(0, LISTED_RUNS - len(listed)))]

    def _visible(self, records: Iterable[RunRecord], actor: Actor, channel: str) -> Iterator[RunSnapshot]:
        return self.runs.snapshots(record.run for record in records if self._may_see(actor, record, channel))

    def _may_see(self, actor: Actor, record: RunRecord, channel: str) -> bool:
        return self.access.may_see(actor, record, channel) and not self.runs.is_hidden(record, actor.user)


def run_with_fleet(runs: RunStore, snapshot: RunSnapshot) -> RunWithFleet:
    """Return the run's state, and the state of its fleet if it is a fleet's run."""
    return snapshot.state, runs.fleet_state(snapshot)
