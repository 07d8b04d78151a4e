"""Run commands on services against simulated hosts, and read what they report."""

import time

from imker.protocol.commands import Approval, Command
from imker.protocol.events import DecisionRequested, EventBody, JobFinished
from imker.protocol.service_commands import ShowService
from imker.protocol.service_events import ServiceDetails
from tests.simulated.conftest import JobRunner


def run(imker: JobRunner, command: Command) -> list[EventBody]:
    """Run the command, and approve its plan if it asks."""
    events = imker.run_job(command)
    if isinstance(question := events[-1], DecisionRequested):
        assert question.question == "start"
        events += imker.run_job(command, Approval("U01ALICE", question.fingerprint, time.time()))
    return events


def outcome_of(events: list[EventBody]) -> JobFinished:
    assert isinstance(events[-1], JobFinished)
    return events[-1]


def wait_until_healthy(imker: JobRunner, name: str) -> None:
    deadline = time.monotonic() + 30
    while show_details(imker, name).service.status != "healthy":
        assert time.monotonic() < deadline


def show_details(imker: JobRunner, name: str) -> ServiceDetails:
    return next(body for body in imker.run_job(ShowService(name)) if isinstance(body, ServiceDetails))
