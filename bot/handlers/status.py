"""Reply to `/swarm status`: the runs of a channel that the requester may see."""

from dataclasses import dataclass

from bot.auth.policy import Actor
from bot.handlers.access import Access
from bot.messages import responses, status
from bot.messages.block_kit import Message
from bot.records import RunRecord
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
            return status.run_list([run_with_fleet(self.runs, record) for record in self._listed(actor, channel)])
        record = self.runs.record(run)
        if record is None or not self.access.may_see(actor, record, channel):
            return responses.not_found(f"There is no run `{run}` in this channel. See `/swarm status`.")
        return status.run_details(*run_with_fleet(self.runs, record))

    def _listed(self, actor: Actor, channel: str) -> list[RunRecord]:
        """Return all open runs, then recent ones up to `LISTED_RUNS`."""
        open_runs = {record.run: record for record in self.runs.open_records()}
        others = [record for record in self.runs.recent(MAX_SEARCHED_RUNS) if record.run not in open_runs]
        visible = [record for record in (*open_runs.values(), *others) if self.access.may_see(actor, record, channel)]
        return visible[: max(LISTED_RUNS, sum(record.run in open_runs for record in visible))]


def run_with_fleet(runs: RunStore, record: RunRecord) -> RunWithFleet:
    """Return the run's state, and the state of its fleet if it is a fleet's run."""
    state = runs.run_state(record)
    return state, runs.fleet_state(state)
