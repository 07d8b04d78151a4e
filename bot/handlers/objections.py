"""Why an answer to a run's question is not taken, in words. Pure."""

from bot.auth.permissions import is_valid_choice
from bot.records import Choice, RunRecord
from bot.state.run_state import RunState
from imker.protocol.events import DecisionRequested


def invalid_choice(view: RunState, waiting: DecisionRequested, choice: Choice) -> str:
    """Why this is no answer now to what is asked, "" when it is one."""
    run = view.record.run
    if not is_valid_choice(waiting, choice):
        return f"That is no answer to what run {run} asks. /swarm status {run} shows it."
    if view.expired and choice == "accept":
        return f"That was asked too long ago to be accepted now. /swarm accept {run} asks anew."
    return "" if view.expired or choice != "again" else f"Run {run} asks already."


def already_decided(record: RunRecord) -> str:
    if record.partial_approvals:
        return f"You said yes to run {record.run} already; it takes somebody else as well."
    if not record.decisions:
        return f"Run {record.run} asks nothing now. /swarm status {record.run} shows it."
    last = record.decisions[-1]
    return f"That is decided already: {last.choice}, by <@{last.user}>."
