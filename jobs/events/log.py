"""Log a job's state changes: one line each, with names and no text from a host."""

import structlog

from imker.protocol.commands import Request
from imker.protocol.events import (
    DecisionRequested,
    Event,
    JobFinished,
    JobStarted,
    StepDone,
    StepFailed,
    StepStarted,
)

log = structlog.get_logger()


def log_event(event: Event, request: Request) -> None:
    """Log the event if it is a state change."""
    about = {"run": event.run, "job": event.job, "command": request.command.type}
    host = getattr(event.body, "host", "") or getattr(request.command, "host", "")
    if host:
        about["host"] = host
    match event.body:
        case JobStarted():
            log.info("job started", **about)
        case StepStarted(key):
            log.debug("step started", step=key, **about)
        case StepDone(key):
            log.info("step done", step=key, **about)
        case StepFailed(key):
            log.info("step failed", step=key, **about)
        case DecisionRequested() as question:
            log.info("job waits for a decision", question=question.question, **about)
        case JobFinished(outcome):
            log.info("job ended", outcome=outcome, **about)
