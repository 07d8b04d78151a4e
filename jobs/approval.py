"""Whether what people said holds, by this side's own knowledge: who, how many, how long ago, of what. Pure."""

from imker.moment import Moment, between
from jobs.contract import Request, Waiting
from jobs.settings import RightsSection

GRACE = 1.0  # seconds from a click to the job that acts upon it


def objection(request: Request, asked: Waiting | None, shown: str, rights: RightsSection, now: Moment) -> str:
    """Why the request's approvals are not enough to make a manager, "" when they are.

    `asked`: the question as this side posed it; `shown`: the digest of what is true now.
    """
    people = {approval.by for approval in request.approvals}
    if asked is None or asked.asked is None:
        return "nobody was asked"
    if not rights.accept_own and request.asker in people:
        return "who asked for it may not accept it"
    if len(people) < rights.accept_count:
        return f"it takes {rights.accept_count} different people, and {len(people)} said yes"
    if not -GRACE <= between(asked.asked, now) <= rights.accept_within * 60 + GRACE:
        return f"the yes came to be carried out more than {rights.accept_within} minutes after the question"
    if any(approval.fingerprint != shown for approval in request.approvals):
        return "it is no longer as it was shown"
    return ""
