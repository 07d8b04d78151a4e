"""Whether those behind a run still have the right to it: its requester, and whoever's answer its current job follows.

Pure. In: a run, and who a person is. Out: why the run must stop.
"""

from dataclasses import dataclass

from bot.auth.permissions import permission_for
from bot.auth.policy import Actor, Allowed, Denied, authorize, authorize_decision
from bot.records import Choice, RunRecord
from bot.settings import Rights
from imker.protocol.events import DecisionRequested

USES = ("continue", "start_fleet", "resume")  # questions whose answer goes on with what the requester asked for
ACTION_TEXT = {
    "accept": "accepted",
    "continue": "continued",
    "start": "started",
    "reject": "rejected",
    "remove": "rejected",
}


@dataclass(frozen=True)
class Backer:
    """`answered` and `verdict`: the question and the answer to it; None for the requester."""

    user: str
    question: DecisionRequested | None = None
    choice: Choice | None = None


def backers(record: RunRecord, question: DecisionRequested | None) -> tuple[Backer, ...]:
    """`answered`: the question that the run's current job, or a fleet's start, follows from; None for the first job."""
    own = (Backer(record.requester),)
    if question is None or not record.decisions:
        return own
    last = record.decisions[-1]
    said = (made for made in record.decisions if (made.job, made.choice) == (last.job, last.choice))
    others = tuple(Backer(made.user, question, made.choice) for made in said if made.user)
    return (*(own if question.question in USES else ()), *others)


def find_problem(rights: Rights, channels: tuple[str, ...], actor: Actor, record: RunRecord, backer: Backer) -> str:
    """Return why the run may not go on for this person, "" when it may, or when Slack doesn't say who they are."""
    checked = _check(rights, channels, actor, record, backer)
    if isinstance(checked, Allowed) or not is_known(actor):
        return ""
    did = "asked for" if backer.choice is None else ACTION_TEXT.get(backer.choice, "answered")
    return f"the person who {did} it no longer has the right ({checked.reason})"


def is_known(actor: Actor) -> bool:
    return actor.kind != "untold" and actor.groups is not None


def _check(
    rights: Rights, channels: tuple[str, ...], actor: Actor, record: RunRecord, backer: Backer
) -> Allowed | Denied:
    if backer.question is None or backer.choice is None:
        return authorize(rights, channels, actor, permission_for(record.command), record.channel)
    return authorize_decision(rights, channels, actor, record, backer.question, backer.choice)
