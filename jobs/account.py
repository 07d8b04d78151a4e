"""What a job does, into the record: each step at both ends, each file, each end. Events in, facts out.

A fact holds names and digests, never a text from a host: what a host says may hold what must not be kept.
"""

import uuid
from collections.abc import Callable

from imker.audit import Audit
from imker.chain import Fact, What
from jobs.contract import (
    Began,
    Ended,
    Event,
    FileChanged,
    Request,
    StepDone,
    StepFailed,
    StepStarted,
    UnknownContract,
    Waiting,
    decode_request,
)

Said = tuple[What, dict[str, str]]


def recording(audit: Audit, request: Request) -> Callable[[Event], None]:
    """Takes a job's events, in their order, and records those that count."""
    attempt = uuid.uuid4().hex[:8]  # a job that runs again tells the same numbers, of other doings

    def record(event: Event) -> None:
        fact = fact_of(event, request, attempt)
        if fact:
            audit.append(fact)

    return record


def fact_of(event: Event, request: Request, attempt: str) -> Fact | None:
    """None for what shows, and does nothing."""
    told = _said(event, request)
    if told is None:
        return None
    what, said = told
    number = f"{event.run}-{event.job}-{event.number}-{attempt}"
    host = getattr(event.body, "host", "") or getattr(request.command, "host", "")
    return Fact(number, what, request.asker, request.channel, request.run, host, {**said, "job": str(request.job)})


def turned_away(request_json: str, why: str) -> Fact:
    """A job that was not taken up. Whoever wrote it may have put anybody's name there: it is told as a claim."""
    known = f"turned-away:{uuid.uuid4().hex}"
    try:
        claimed = decode_request(request_json)
    except UnknownContract:
        return Fact(known, "refused", said={"why": "turned away", "answer": why})
    said = {"why": "turned away", "answer": why, "claims": claimed.asker, "command": claimed.command.type}
    return Fact(known, "refused", run=claimed.run, host=getattr(claimed.command, "host", ""), said=said)


def _said(event: Event, request: Request) -> Said | None:
    match event.body:
        case Began():
            return "began", {"command": request.command.type, **_approval(request)}
        case StepStarted(key):
            return "step", {"step": key, "outcome": "began"}
        case StepDone(key):
            return "step", {"step": key, "outcome": "done"}
        case StepFailed(key):
            return "step", {"step": key, "outcome": "failed"}
        case FileChanged(_, path, before, after):
            return "changed", {"path": path, "before": before, "after": after}
        case Waiting() as waiting:
            node = {"node": waiting.candidate.node} if waiting.candidate else {}
            why = {"refused": waiting.refused} if waiting.refused else {}
            return "waits", {"question": waiting.question, "shown": waiting.fingerprint, **node, **why}
        case Ended(outcome):
            return "ended", {"outcome": outcome}
        case _:
            return None


def _approval(request: Request) -> dict[str, str]:
    """Whose yes it is that the job acts on, and to what."""
    node = {"node": node} if (node := getattr(request.command, "node", "")) else {}
    if not request.approvals:
        return node
    by = ", ".join(approval.by for approval in request.approvals)
    return {**node, "approved": by, "shown": request.approvals[0].fingerprint}
