"""Kill a job of a node command at any step: the repeated command completes it as if it had never crashed."""

from collections.abc import Callable

import pytest
from redis import Redis

from imker.failpoints import Failpoint
from imker.protocol.commands import Accept, Approval, Command, Role
from imker.protocol.events import DecisionRequested, EventBody, JobFinished
from imker.protocol.node_commands import Activate, Demote, Drain, HostCommand, Promote, Remove, Upgrade
from jobs.facts.swarm import DRAIN_LABEL
from lab.chaos import invariants
from lab.simulated.engine_versions import Pace
from lab.simulated.fleet import Fleet
from tests.simulated.conftest import JobRunner
from tests.simulated.test_killed_at_every_step import _completed_steps, _killed
from tests.simulated.test_swarm_upgrade import offer
from tests.support.swarm_setup import create_swarm, node_of, start_service, task_hosts

THREE: dict[str, Role] = {"connewitz": "manager", "tondi": "manager", "lausen": "manager"}
TWO: dict[str, Role] = {**THREE, "lausen": "worker"}
COMMANDS: tuple[HostCommand, ...] = (
    Drain("lausen"), Activate("lausen"), Demote("lausen"), Promote("lausen"), Remove("lausen"),
    Upgrade("lausen", "28.*"),
)  # fmt: skip
POINTS: tuple[Failpoint, ...] = ("step.next", "step.done")
AT_ONCE = Pace(upgrade=0, restart=0, boot=0, join=0, task_start=0, task_restart=0)
BOB = "U02BOB"


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.type)
def test_repeated_command_completes_a_killed_job(
    command: HostCommand, other: Callable[..., Fleet], redis: Redis
) -> None:
    imker = JobRunner(other(*THREE, pace=AT_ONCE), redis)
    _begin(imker, command)
    complete_run = [_completed_steps(events) for events in _story(imker, command)]
    expected = _lasting(imker)
    for job, events in enumerate(complete_run):
        for number, point in ((number, point) for number in range(len(events)) for point in POINTS):
            where = f"{command.text}: job {job + 1} of {complete_run}, killed at {point} {number}"
            _begin(imker, command)
            following = _jobs_until(imker, command, job)
            assert len(_killed(imker, *following, point, number)) <= len(events), where
            _story(imker, command)
            assert _lasting(imker) == expected, where
            assert invariants.nothing_done_twice(imker.fleet.world.history.actions()) == [], where
    assert imker.fleet.world.history.unknown_requests == []


def _jobs_until(imker: JobRunner, command: HostCommand, job: int) -> tuple[Command, tuple[Approval, ...]]:
    """Run the jobs before this one, and return what it runs."""
    following: tuple[Command, tuple[Approval, ...]] = (command, ())
    for _ in range(job):
        following = _following(command, imker.run_job(following[0], *following[1])[-1])
    return following


def _begin(imker: JobRunner, command: HostCommand) -> None:
    imker.redis.flushall()
    imker.fleet.reset()
    upgrades = isinstance(command, Upgrade)
    create_swarm(imker.fleet, TWO if isinstance(command, Promote) else THREE, "experimental" if upgrades else "main")
    if upgrades:
        offer(imker)
        node_of(imker.fleet, "lausen").availability = "pause"
    start_service(imker.fleet, "web", 3)
    if isinstance(command, Activate):
        node = node_of(imker.fleet, "lausen")
        node.availability, node.labels = "drain", {DRAIN_LABEL: "k3fm9x2q U01ALICE"}


def _story(imker: JobRunner, command: HostCommand) -> list[list[EventBody]]:
    """Run the command and answer its questions. Return the events of each job."""
    jobs = [imker.run_job(command)]
    while isinstance(jobs[-1][-1], DecisionRequested):
        following, approvals = _following(command, jobs[-1][-1])
        jobs.append(imker.run_job(following, *approvals))
    end = jobs[-1][-1]
    assert isinstance(end, JobFinished)
    assert end.outcome in ("done", "unchanged"), end
    return jobs


def _following(command: HostCommand, question: EventBody) -> tuple[Command, tuple[Approval, ...]]:
    assert isinstance(question, DecisionRequested), question
    accept = Accept(question.candidate.node) if question.candidate else command
    return accept, (Approval(BOB, question.fingerprint, 0.0),)


def _lasting(imker: JobRunner) -> dict[str, object]:
    """Return the nodes of the swarm, and whether the service runs."""
    nodes = imker.fleet.world.swarm.nodes.values()
    return {
        "nodes": sorted((node.hostname, node.role, node.availability, sorted(node.labels)) for node in nodes),
        "in the swarm": sorted(name for name in THREE if imker.fleet.world.swarm.node_of(imker.fleet[name])),
        "tasks": len(task_hosts(imker.fleet, "web")),
        "Engine": (imker.fleet["lausen"].engine_version, imker.fleet["lausen"].packages),
    }
