"""Accept several managers of a fleet at the same time: one promotion after the other."""

import threading
import time
from dataclasses import replace

from imker.protocol.commands import Accept, Approval, Command, Migrate, Request, Role
from imker.protocol.events import DecisionRequested, FleetPlanned, JobFinished, StepDone, StepStarted
from imker.protocol.values import HostPlan
from imker.run_streams import read_event_log
from jobs.events.writer import EventWriter
from jobs.run import run_handler
from tests.simulated.conftest import HOST_NAMES, JobRunner
from tests.support import streams

FLEET = "fleet1"
FIRST, *PENDING = HOST_NAMES


def run_leg(imker: JobRunner, host: str, job: int, command: Command, *approvals: Approval) -> list[object]:
    """Run a job of a host's run in the fleet."""
    request = replace(Request(f"leg-{host}", job, command, "U01ALICE", approvals), parent_run=FLEET)
    writer = EventWriter(imker.redis, streams.KEY, request.run, request.job, time.time)
    run_handler(request, writer, lambda: imker.open_context(request, writer))
    return list(imker.event_bodies(request))


def plan_fleet(imker: JobRunner) -> None:
    role: Role = "manager"
    plans = tuple(HostPlan(host, role, 1, wave, "") for wave, host in enumerate(HOST_NAMES))
    EventWriter(imker.redis, streams.KEY, FLEET, 1, time.time).emit(FleetPlanned(plans))


def ask(imker: JobRunner, host: str) -> tuple[Accept, Approval]:
    question = run_leg(imker, host, 1, Migrate(host, "manager"))[-1]
    assert isinstance(question, DecisionRequested)
    assert question.candidate is not None
    return Accept(question.candidate.node), Approval("U02BOB", question.fingerprint, time.time())


def promotion(imker: JobRunner, host: str) -> tuple[float, float]:
    """Return when the host's promotion began and ended."""
    events = read_event_log(imker.redis, streams.KEY, f"leg-{host}").events
    (began,) = [event.at for event in events if event.body == StepStarted("PromoteNode")]
    (ended,) = [event.at for event in events if isinstance(event.body, StepDone) and event.body.key == "ActivateNode"]
    return began, ended


def test_accepts_two_managers_at_the_same_time_and_promotes_one_by_one(imker: JobRunner) -> None:
    plan_fleet(imker)
    run_leg(imker, FIRST, 1, Migrate(FIRST, "manager"))
    answers = {host: ask(imker, host) for host in PENDING}
    last: dict[str, object] = {}

    def accept(host: str) -> None:
        command, approval = answers[host]
        last[host] = run_leg(imker, host, 2, command, approval)[-1]

    threads = [threading.Thread(target=accept, args=(host,)) for host in PENDING]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert {type(body) for body in last.values()} == {JobFinished}, "nobody is asked again"
    nodes = imker.fleet.world.swarm.nodes.values()
    assert {node.hostname: node.role for node in nodes} == dict.fromkeys(HOST_NAMES, "manager")
    (_, first_end), (second_start, _) = sorted(promotion(imker, host) for host in PENDING)
    assert first_end <= second_start
