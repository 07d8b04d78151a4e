"""Check that the people behind a run still have permission: its requester, and those whose decision it follows.

In: a run, and a user. Out: why the run must stop. Pure.
"""

from dataclasses import dataclass

from bot.auth.permissions import permission_for
from bot.auth.policy import Actor, Allowed, Denied, authorize, authorize_decision
from bot.auth.rights import Rights
from bot.records import PAST_TENSE, Choice, RunRecord
from imker.protocol.events import DecisionRequested

USES = ("continue", "start", "start_fleet", "resume")  # questions whose answer continues the requested command


@dataclass(frozen=True)
class Backer:
    """A user whose permission the run relies on. `question` and `choice`: what they decided, None for the requester."""

    user: str
    question: DecisionRequested | None = None
    choice: Choice | None = None


def backers(record: RunRecord, question: DecisionRequested | None) -> tuple[Backer, ...]:
    """Return the users whose permission the run relies on.

    `question`: the one whose answer started the run's current job or the fleet; None for the first job.
    """
    requester = (Backer(record.requester),)
    if question is None or not record.decisions:
        return requester
    last = record.decisions[-1]
    effective = [each for each in record.decisions if (each.job, each.choice) == (last.job, last.choice)]
    others = tuple(Backer(each.user, question, each.choice) for each in effective if each.user)
    return (*(requester if question.question in USES else ()), *others)


def find_problem(rights: Rights, channels: tuple[str, ...], actor: Actor, record: RunRecord, backer: Backer) -> str:
    """Return why the run must stop because of this user; "" if it may continue, or if the user's profile is unknown."""
    checked = _check(rights, channels, actor, record, backer)
    if isinstance(checked, Allowed) or not is_known(actor):
        return ""
    did = PAST_TENSE[backer.choice] if backer.choice else "requested"
    return f"the user who {did} it no longer has permission ({checked.requirement or checked.reason})"


def is_known(actor: Actor) -> bool:
    """Return whether Slack returned the user's profile and groups."""
    return actor.kind != "unknown" and actor.groups is not None


def _check(
    rights: Rights, channels: tuple[str, ...], actor: Actor, record: RunRecord, backer: Backer
) -> Allowed | Denied:
    if backer.question is None or backer.choice is None:
        return authorize(rights, channels, actor, permission_for(record.command), record.channel)
    return authorize_decision(rights, channels, actor, record, backer.question, backer.choice)
