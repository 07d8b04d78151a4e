"""Record a job in the audit log: each step's start and end, each file change, each outcome.

In: events. Out: audit facts. A fact holds names and digests, never text from a host, which may include a secret.
"""

import uuid
from collections.abc import Callable

from imker.audit_log import AuditLog
from imker.hash_chain import AuditFact, EntryKind
from imker.protocol.codec import UnsupportedVersion, decode_request
from imker.protocol.commands import Request
from imker.protocol.events import (
    DecisionRequested,
    Event,
    FileChanged,
    JobFinished,
    JobStarted,
    StepDone,
    StepFailed,
    StepStarted,
)

KindAndDetails = tuple[EntryKind, dict[str, str]]


def audit_listener(audit: AuditLog, request: Request) -> Callable[[Event], None]:
    """Return a listener that adds a job's events, in their order, to the audit log."""
    attempt = uuid.uuid4().hex[:8]  # a job that runs again uses the same event numbers for other actions

    def record(event: Event) -> None:
        fact = fact_for_event(event, request, attempt)
        if fact:
            audit.append(fact)

    return record


def fact_for_event(event: Event, request: Request, attempt: str) -> AuditFact | None:
    """Return the event's fact, or None for an event that changes nothing."""
    kind_and_details = _kind_and_details(event, request)
    if kind_and_details is None:
        return None
    kind, details = kind_and_details
    number = f"{event.run}-{event.job}-{event.number}-{attempt}"
    host = getattr(event.body, "host", "") or getattr(request.command, "host", "")
    return AuditFact(
        number, kind, request.requester, request.channel, request.run, host, {**details, "job": str(request.job)}
    )


def fact_for_rejection(request_json: str, reason: str) -> AuditFact:
    """Return the fact of a job that was not admitted. Its requester is only a claim: the job may be forged."""
    fact_id = f"rejected:{uuid.uuid4().hex}"
    try:
        request = decode_request(request_json)
    except UnsupportedVersion:
        return AuditFact(fact_id, "refused", details={"why": "job rejected", "answer": reason})
    details = {"why": "job rejected", "answer": reason, "claims": request.requester, "command": request.command.type}
    return AuditFact(fact_id, "refused", run=request.run, host=getattr(request.command, "host", ""), details=details)


def _kind_and_details(event: Event, request: Request) -> KindAndDetails | None:
    match event.body:
        case JobStarted():
            return "began", {"command": request.command.type, **_approval_details(request)}
        case StepStarted(key):
            return "step", {"step": key, "outcome": "began"}
        case StepDone(key):
            return "step", {"step": key, "outcome": "done"}
        case StepFailed(key):
            return "step", {"step": key, "outcome": "failed"}
        case FileChanged(_, path, before, after):
            return "changed", {"path": path, "before": before, "after": after}
        case DecisionRequested() as waiting:
            node = {"node": waiting.candidate.node} if waiting.candidate else {}
            refusal = {"refused": waiting.approval_problem} if waiting.approval_problem else {}
            return "waits", {"question": waiting.question, "shown": waiting.fingerprint, **node, **refusal}
        case JobFinished(outcome):
            return "ended", {"outcome": outcome}
        case _:
            return None


def _approval_details(request: Request) -> dict[str, str]:
    """Return the approvals that the job acts on: by whom, and of which fingerprint."""
    node = {"node": node} if (node := getattr(request.command, "node", "")) else {}
    if not request.approvals:
        return node
    by = ", ".join(approval.user for approval in request.approvals)
    return {**node, "approved": by, "shown": request.approvals[0].fingerprint}
