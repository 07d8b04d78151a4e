"""Whether what people said holds, by this side's own knowledge: who, how many, how long ago, of what. Pure."""

from imker.clock import Timestamp, seconds_between
from imker.config import AcceptanceRules
from imker.protocol.commands import Request
from imker.protocol.events import DecisionRequested

TOLERANCE = 1.0  # seconds from a click to the job that acts upon it


def find_approval_problem(
    request: Request, question: DecisionRequested | None, fingerprint: str, rights: AcceptanceRules, now: Timestamp
) -> str:
    """Why the request's approvals are not enough to make a manager, "" when they are.

    `asked`: the question as this side posed it; `shown`: the digest of what is true now.
    """
    people = {approval.user for approval in request.approvals}
    if question is None or question.asked_at is None:
        return "nobody was asked"
    if not rights.accept_own and request.requester in people:
        return "who asked for it may not accept it"
    if len(people) < rights.accept_count:
        return f"it takes {rights.accept_count} different people, and {len(people)} said yes"
    if not -TOLERANCE <= seconds_between(question.asked_at, now) <= rights.accept_within * 60 + TOLERANCE:
        return f"the yes came to be carried out more than {rights.accept_within} minutes after the question"
    if any(approval.fingerprint != fingerprint for approval in request.approvals):
        return "it is no longer as it was shown"
    return ""
