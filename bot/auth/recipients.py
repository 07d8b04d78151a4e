"""Find out who can answer a question, and so is mentioned in its alert. Pure."""

from collections.abc import Callable
from itertools import islice

from bot.auth.permissions import QUESTIONS, permission_to_decide
from bot.auth.policy import holders_of
from bot.auth.rights import Rights
from bot.records import RunRecord
from imker.protocol.events import DecisionRequested

MAX_PEOPLE = 5  # users that one alert mentions, apart from groups


def who_can_answer(
    rights: Rights, record: RunRecord, question: DecisionRequested, is_able: Callable[[str], bool] = lambda user: True
) -> tuple[str, ...]:
    """Return the IDs of the groups and users who may approve: groups first, then the requester.

    If everyone may, only the requester is named. Not named are users who have approved already, and the requester of a
    manager unless requesters may accept their own. `is_able`: whether a user can answer at all, so is no guest.
    """
    choice = QUESTIONS[question.question][1][0]
    holders = holders_of(rights, permission_to_decide(record, question, choice), record.channel)
    excluded = who_cannot_answer(rights, record, question)
    groups = tuple(holder for holder in holders if holder.startswith("S"))
    people = [holder for holder in holders if holder not in groups and holder not in excluded and holder != "*"]
    if "*" in holders and record.requester not in excluded:
        people = [record.requester]
    elif "*" in holders:
        people = []
    people.sort(key=lambda user: user != record.requester)
    return limit_people((*groups, *islice(filter(is_able, people), MAX_PEOPLE)))


def who_cannot_answer(rights: Rights, record: RunRecord, question: DecisionRequested) -> frozenset[str]:
    """Return the users who may not approve although they have the right: they have approved, or requested it."""
    approved = frozenset(approval.user for approval in record.partial_approvals)
    is_own = question.question == "accept" and not rights.accept_own
    return approved | {record.requester} if is_own else approved


def limit_people(recipients: tuple[str, ...]) -> tuple[str, ...]:
    """Return all groups, and the first users of them."""
    groups = tuple(recipient for recipient in recipients if recipient.startswith("S"))
    people = tuple(recipient for recipient in recipients if not recipient.startswith("S"))
    return (*dict.fromkeys(groups), *tuple(dict.fromkeys(people))[:MAX_PEOPLE])
