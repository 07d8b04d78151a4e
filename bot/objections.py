"""Why an answer to a run's question is not taken, in words. Pure."""

from bot.need import fits
from bot.progress import RunView
from bot.record import RunRecord, Verdict
from jobs.contract import Waiting


def misfit(view: RunView, waiting: Waiting, verdict: Verdict) -> str:
    """Why this is no answer now to what is asked, "" when it is one."""
    run = view.record.run
    if not fits(waiting, verdict):
        return f"That is no answer to what run {run} asks. /swarm status {run} shows it."
    if view.expired and verdict == "accept":
        return f"That was asked too long ago to be accepted now. /swarm accept {run} asks anew."
    return "" if view.expired or verdict != "again" else f"Run {run} asks already."


def too_late(record: RunRecord) -> str:
    if record.votes:
        return f"You said yes to run {record.run} already; it takes somebody else as well."
    if not record.decisions:
        return f"Run {record.run} asks nothing now. /swarm status {record.run} shows it."
    last = record.decisions[-1]
    return f"That is decided already: {last.verdict}, by <@{last.by}>."
