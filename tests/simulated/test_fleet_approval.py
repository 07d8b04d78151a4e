"""Try to let a fleet do what its approver did not see. The job asks again or refuses, and changes nothing."""

import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from imker.protocol.commands import Accept, Hold, Migrate, Reject, Request
from imker.protocol.events import DecisionRequested, JobFinished, StepStarted
from imker.protocol.next_command import BotCommand, NextCommand
from imker.protocol.run_id import host_run_id
from imker.protocol.signed import sign_hold
from imker.protocol.version import hold_key
from jobs.events.writer import EventWriter
from jobs.gather.known_swarm import gather_settled_swarm
from jobs.handlers.accept import acceptance_question
from jobs.plan import Refusal, plan_acceptance
from tests.simulated.conftest import JobRunner
from tests.simulated.fleet_legs import FIRST, FLEET, OTHER_FLEET, PENDING, answer, ask, plan_fleet, run_leg
from tests.support import streams

OTHER, HOST = PENDING  # HOST is accepted last
CHANGED = "the node or the swarm changed after the question was posted"


def role(imker: JobRunner, host: str) -> str:
    node = imker.fleet.world.swarm.node_of(imker.fleet[host])
    assert node is not None
    return node.role


def promote_by_hand(imker: JobRunner) -> None:
    """Promote the other pending manager as `docker node promote` does, past its acceptance."""
    node = imker.fleet.world.swarm.node_of(imker.fleet[OTHER])
    assert node is not None
    node.role, node.availability, node.labels = "manager", "active", {}


def reject_and_promote_by_hand(imker: JobRunner) -> None:
    node = imker.fleet.world.swarm.node_of(imker.fleet[OTHER])
    assert node is not None
    rejected = run_leg(imker, OTHER, 2, Reject(node.id))[-1]
    assert isinstance(rejected, JobFinished)
    promote_by_hand(imker)


def accept_in_another_fleet(imker: JobRunner) -> None:
    """Accept the other pending manager in a second fleet, whose start other users may have approved."""
    plan_fleet(imker, OTHER_FLEET)
    command, approval = ask(imker, OTHER, OTHER_FLEET)
    run_leg(imker, OTHER, 2, command, approval, fleet=OTHER_FLEET)
    assert role(imker, OTHER) == "manager"


def accept_alone(imker: JobRunner) -> None:
    """Accept the other pending manager in a run of its own."""
    node = imker.fleet.world.swarm.node_of(imker.fleet[OTHER])
    assert node is not None
    command, approval = answer(imker.run_job(Accept(node.id))[-1])
    imker.run_job(command, approval)
    assert role(imker, OTHER) == "manager"


@pytest.mark.parametrize(
    "add_manager", [promote_by_hand, reject_and_promote_by_hand, accept_in_another_fleet, accept_alone]
)
def test_asks_again_after_a_manager_was_added_that_the_fleet_did_not_accept(
    imker: JobRunner, add_manager: Callable[[JobRunner], None]
) -> None:
    plan_fleet(imker)
    run_leg(imker, FIRST, 1, Migrate(FIRST, "manager"))
    ask(imker, OTHER)
    command, approval = ask(imker, HOST)
    add_manager(imker)
    question = run_leg(imker, HOST, 2, command, approval)[-1]
    assert isinstance(question, DecisionRequested)
    assert question.approval_problem == CHANGED
    assert question.quorum is not None
    assert (question.quorum.managers, question.quorum.managers_after) == (2, 3), "the new question shows it"
    assert role(imker, HOST) == "worker"


def test_a_manager_that_is_not_reachable_yet_changes_no_fingerprint(imker: JobRunner) -> None:
    """A manager that the fleet has just accepted is not reachable for a second, while the next one asks."""
    plan_fleet(imker)
    run_leg(imker, FIRST, 1, Migrate(FIRST, "manager"))
    ask(imker, HOST)
    request = Request(host_run_id(FLEET, HOST), 2, Migrate(HOST, "manager"), "U01ALICE", parent_run=FLEET)
    writer = EventWriter(imker.redis, streams.KEY, request.run, request.job, time.time)
    context = imker.open_context(request, writer)
    swarm = gather_settled_swarm(context)
    starting = replace(swarm, nodes=tuple(replace(node, manager_status="unreachable") for node in swarm.nodes))
    (node,) = (node for node in swarm.nodes if node.pending)
    assert isinstance(plan_acceptance(starting, node.id), Refusal)
    questions = [acceptance_question(context, facts, node) for facts in (starting, swarm)]
    assert questions[0].fingerprint == questions[1].fingerprint


def test_an_approval_counts_only_for_the_question_of_its_own_run(imker: JobRunner) -> None:
    plan_fleet(imker)
    run_leg(imker, FIRST, 1, Migrate(FIRST, "manager"))
    command, approval = ask(imker, OTHER)
    ask(imker, HOST)
    assert isinstance(run_leg(imker, HOST, 2, command, approval)[-1], DecisionRequested)
    assert (role(imker, OTHER), role(imker, HOST)) == ("worker", "worker")


@pytest.mark.parametrize(("cancelled_after", "expected"), [(1.0, "worker"), (-1.0, "manager")])
def test_a_cancel_of_the_fleet_stops_what_was_approved_before(
    imker: JobRunner, cancelled_after: float, expected: str
) -> None:
    """What waits may still be accepted after the cancel, by a new decision."""
    plan_fleet(imker)
    run_leg(imker, FIRST, 1, Migrate(FIRST, "manager"))
    command, approval = ask(imker, HOST)
    hold = Hold("cancel", "U02BOB", approval.approved_at + cancelled_after)
    signed_hold = sign_hold(FLEET, hold, hold.requested_at, streams.KEY)
    imker.redis.zadd(hold_key(FLEET), {signed_hold: hold.requested_at})
    run_leg(imker, HOST, 2, command, approval)
    assert role(imker, HOST) == expected


def test_does_not_restart_a_manager_that_the_plan_was_to_join(imker: JobRunner) -> None:
    """Hosts that join run in parallel. A host that became a manager meanwhile must not restart beside others."""
    plan_fleet(imker)
    run_leg(imker, FIRST, 1, Migrate(FIRST, "manager"))
    swarm = imker.fleet.world.swarm
    address, token = imker.fleet[FIRST].lab_host.address, swarm.tokens["Manager"]
    swarm.join(imker.fleet[OTHER], {"RemoteAddrs": [f"{address}:2377"], "JoinToken": token})
    swarm.finish_join(imker.fleet[OTHER])
    assert role(imker, OTHER) == "manager"
    events = run_leg(imker, OTHER, 1, Migrate(OTHER, "manager"))
    assert not any(isinstance(body, StepStarted) for body in events)
    end = events[-1]
    assert isinstance(end, JobFinished)
    assert end.outcome == "refused"
    assert "is a node of the swarm now" in end.summary


def test_only_the_first_host_initializes_a_swarm(imker: JobRunner) -> None:
    """The first host of the fleet, taken over or reset, reports that it has left the swarm."""
    plan_fleet(imker)
    run_leg(imker, FIRST, 1, Migrate(FIRST, "manager"))
    imker.fleet.world.swarm.leave(imker.fleet[FIRST], force=True)
    end = run_leg(imker, OTHER, 1, Migrate(OTHER, "manager"))[-1]
    assert isinstance(end, JobFinished)
    assert (end.outcome, end.state) == ("refused", "Nothing was changed.")
    assert end.summary == f"there is no swarm now, and the fleet's plan was that {OTHER} joins one"
    assert end.next_commands == (NextCommand(BotCommand("retry", FLEET), "plan the remaining hosts again"),)
