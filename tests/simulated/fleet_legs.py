"""Run jobs of hosts in a fleet, as the bot enqueues them after the fleet was started."""

import time
from dataclasses import replace

from imker.protocol.commands import Accept, Approval, Command, Migrate, Request, Role
from imker.protocol.events import DecisionRequested, EventBody, FleetPlanned
from imker.protocol.run_id import host_run_id
from imker.protocol.values import HostPlan
from jobs.events.writer import EventWriter
from jobs.run import run_handler
from tests.simulated.conftest import HOST_NAMES, JobRunner
from tests.support import streams

FLEET, OTHER_FLEET = "fleet1", "fleet2"
FIRST, *PENDING = HOST_NAMES


def plan_fleet(imker: JobRunner, fleet: str = FLEET) -> None:
    """Emit the plan of a fleet whose hosts are all to join as managers."""
    role: Role = "manager"
    plans = tuple(HostPlan(host, role, 1, wave, "", joins=True) for wave, host in enumerate(HOST_NAMES))
    EventWriter(imker.redis, streams.KEY, fleet, 1, time.time).emit(FleetPlanned(plans))


def run_leg(
    imker: JobRunner, host: str, job: int, command: Command, *approvals: Approval, fleet: str = FLEET
) -> list[EventBody]:
    """Run a job of a host's run in the fleet and return its events."""
    request = Request(host_run_id(fleet, host), job, command, "U01ALICE", approvals)
    request = replace(request, parent_run=fleet)
    writer = EventWriter(imker.redis, streams.KEY, request.run, request.job, time.time)
    run_handler(request, writer, lambda: imker.open_context(request, writer))
    return imker.event_bodies(request)


def ask(imker: JobRunner, host: str, fleet: str = FLEET) -> tuple[Accept, Approval]:
    """Migrate a host until it waits to be accepted, and return the answer to its question."""
    return answer(run_leg(imker, host, 1, Migrate(host, "manager"), fleet=fleet)[-1])


def answer(question: EventBody) -> tuple[Accept, Approval]:
    """Return the command and the approval that accept what a question shows."""
    assert isinstance(question, DecisionRequested)
    assert question.candidate is not None
    return Accept(question.candidate.node), Approval("U02BOB", question.fingerprint, time.time())
