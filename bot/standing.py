"""Whether those behind a run still have the right to it: its requester, and whoever's answer its current job follows.

Pure. In: a run, and who a person is. Out: why the run must stop.
"""

from dataclasses import dataclass

from bot.need import of_command
from bot.policy import Actor, Allowed, Denied, authorize, authorize_answer
from bot.record import RunRecord, Verdict
from bot.settings import Rights
from jobs.contract import Waiting

ON = ("continue", "start", "resume")  # questions whose answer goes on with what the requester asked for
DID = {"accept": "accepted", "continue": "continued", "start": "started", "reject": "rejected", "remove": "rejected"}


@dataclass(frozen=True)
class Backer:
    """`answered` and `verdict`: the question and the answer to it; None for the requester."""

    user: str
    answered: Waiting | None = None
    verdict: Verdict | None = None


def backers(record: RunRecord, answered: Waiting | None) -> tuple[Backer, ...]:
    """`answered`: the question that the run's current job, or a fleet's start, follows from; None for the first job."""
    own = (Backer(record.asker),)
    if answered is None or not record.decisions:
        return own
    last = record.decisions[-1]
    said = (made for made in record.decisions if (made.job, made.verdict) == (last.job, last.verdict))
    others = tuple(Backer(made.by, answered, made.verdict) for made in said if made.by)
    return (*(own if answered.question in ON else ()), *others)


def objection(rights: Rights, channels: tuple[str, ...], actor: Actor, record: RunRecord, backer: Backer) -> str:
    """Return why the run may not go on for this person, "" when it may, or when Slack doesn't say who they are."""
    checked = _checked(rights, channels, actor, record, backer)
    if isinstance(checked, Allowed) or not known(actor):
        return ""
    did = "asked for" if backer.verdict is None else DID.get(backer.verdict, "answered")
    return f"the person who {did} it no longer has the right ({checked.reason})"


def known(actor: Actor) -> bool:
    return actor.kind != "untold" and actor.groups is not None


def _checked(
    rights: Rights, channels: tuple[str, ...], actor: Actor, record: RunRecord, backer: Backer
) -> Allowed | Denied:
    if backer.answered is None or backer.verdict is None:
        return authorize(rights, channels, actor, of_command(record.command), record.channel)
    return authorize_answer(rights, channels, actor, record, backer.answered, backer.verdict)
