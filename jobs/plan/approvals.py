"""Check approvals again on the RQ workers: who approved, how many, how long ago, and of which state. Pure."""

from imker.clock import Timestamp, seconds_between
from imker.config import AcceptanceRules
from imker.protocol.commands import Request
from imker.protocol.event_log import EventLog
from imker.protocol.events import DecisionRequested, StepStarted
from jobs.steps import PromoteNode

TOLERANCE = 1.0  # seconds from a click to its job


def find_promoted_nodes(log: EventLog) -> set[str]:
    """Return the IDs of the nodes whose promotion a run has started, each after the approval of its question."""
    jobs = {event.job for event in log.events if event.body == StepStarted(PromoteNode.__name__)}
    questions = (log.outcome_of(job - 1) for job in jobs)
    candidates = (question.candidate for question in questions if isinstance(question, DecisionRequested))
    return {candidate.node for candidate in candidates if candidate}


def find_approval_problem(
    request: Request,
    question: DecisionRequested | None,
    fingerprint: str,
    rights: AcceptanceRules,
    now: Timestamp,
    managers: int | None = None,
) -> str:
    """Return why the request's approvals do not suffice to make a manager, "" if they do.

    `question`: as this run posed it; `fingerprint`: of the current state; `managers`: how many there are now. There may
    be more than the question showed, as the fingerprint decides which ones, but never fewer.
    """
    people = {approval.user for approval in request.approvals}
    if question is None or question.asked_at is None:
        return "this run posed no question"
    if not rights.accept_own and request.requester in people:
        return "the requester may not accept their own request"
    if len(people) < rights.accept_count:
        return f"it requires {rights.accept_count} different approvers; {len(people)} approved"
    if not -TOLERANCE <= seconds_between(question.asked_at, now) <= rights.accept_within * 60 + TOLERANCE:
        return f"the approval expired: it was processed more than {rights.accept_within} minutes after the question"
    has_lost_manager = managers is not None and question.quorum is not None and managers < question.quorum.managers
    valid = {fingerprint} & {question.fingerprint}
    if has_lost_manager or any(approval.fingerprint not in valid for approval in request.approvals):
        return "the node or the swarm changed after the question was posted"
    return ""
