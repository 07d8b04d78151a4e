"""Promote, demote, and activate nodes of a swarm of simulated hosts."""

from dataclasses import replace

import pytest

from imker.protocol.commands import Accept, Approval, Command, Reject, Role
from imker.protocol.events import DecisionRequested, EventBody, JobFinished, Planned, StepDone
from imker.protocol.node_commands import Activate, Demote, Promote
from imker.protocol.values import Quorum
from jobs.facts.quorum import describe_tolerance
from jobs.facts.swarm import DRAIN_LABEL, PENDING_LABEL
from tests.simulated.conftest import JobRunner
from tests.support.swarm_setup import create_swarm, node_of

THREE: dict[str, Role] = {"connewitz": "manager", "tondi": "manager", "lausen": "manager"}
TWO: dict[str, Role] = {**THREE, "lausen": "worker"}
BOB = "U02BOB"


def question_of(events: list[EventBody]) -> DecisionRequested:
    assert isinstance(events[-1], DecisionRequested), events[-1]
    return events[-1]


def approve(imker: JobRunner, command: Command, events: list[EventBody]) -> list[EventBody]:
    """Run the next job of the run, approved by Bob."""
    return imker.run_job(command, Approval(BOB, question_of(events).fingerprint, 0.0))


def end_of(events: list[EventBody]) -> JobFinished:
    assert isinstance(events[-1], JobFinished), events[-1]
    return events[-1]


def done_steps(events: list[EventBody]) -> list[str]:
    return [body.key for body in events if isinstance(body, StepDone)]


def test_a_worker_is_promoted_after_its_acceptance_and_keeps_its_work(imker: JobRunner) -> None:
    create_swarm(imker.fleet, TWO)
    node = node_of(imker.fleet, "lausen")
    events = imker.run_job(Promote("lausen"))
    question = question_of(events)
    assert (question.question, question.host, question.quorum) == ("accept", "lausen", Quorum(2, 0, 3, 1))
    assert (node.role, node.availability, PENDING_LABEL in node.labels) == ("worker", "active", True)
    after = approve(imker, Accept(node.id), events)
    assert done_steps(after) == ["PromoteNode", "WaitForReachable", "UnmarkPending"]
    assert (end_of(after).outcome, node.role, node.availability, node.labels) == ("done", "manager", "active", {})
    assert end_of(imker.run_job(Promote("lausen"))) == JobFinished("unchanged", "nothing to do: lausen is a manager")


def test_a_drained_worker_stays_drained_whether_it_is_accepted_or_rejected(imker: JobRunner) -> None:
    create_swarm(imker.fleet, TWO)
    node = node_of(imker.fleet, "lausen")
    node.availability = "drain"
    events = imker.run_job(Promote("lausen"))
    assert "stays drained" in question_of(events).summary
    rejected = approve(imker, Reject(node.id), events)
    assert (end_of(rejected).outcome, node.role, node.availability, node.labels) == ("done", "worker", "drain", {})
    approve(imker, Accept(node.id), imker.run_job(Promote("lausen")))
    assert (node.role, node.availability, node.labels) == ("manager", "drain", {})


def test_the_promotion_of_a_pending_node_asks_again_without_a_change(imker: JobRunner) -> None:
    create_swarm(imker.fleet, TWO)
    first = imker.run_job(Promote("lausen"))
    second = imker.run_job(Promote("lausen"))
    assert done_steps(second) == []
    assert question_of(second).fingerprint == question_of(first).fingerprint


def test_no_promotion_while_a_manager_or_the_node_is_down(imker: JobRunner) -> None:
    create_swarm(imker.fleet, {**THREE, "lausen": "worker"})
    swarm = imker.fleet.world.swarm
    swarm.add_ghost(imker.fleet["tondi"])
    (ghost,) = [node for node in swarm.nodes.values() if node.machine is None]
    ghost.role = "manager"
    end = end_of(imker.run_job(Promote("lausen")))
    assert (end.outcome, PENDING_LABEL in node_of(imker.fleet, "lausen").labels) == ("refused", False)
    assert "a manager is unreachable (tondi)" in end.summary


def test_a_manager_is_demoted_after_an_approval_of_the_quorum(imker: JobRunner) -> None:
    create_swarm(imker.fleet, THREE)
    events = imker.run_job(Demote("lausen"))
    question = question_of(events)
    assert (question.question, question.host, question.quorum) == ("start", "lausen", Quorum(3, 1, 2, 0))
    assert node_of(imker.fleet, "lausen").role == "manager"
    demoted = approve(imker, Demote("lausen"), events)
    assert (done_steps(demoted), node_of(imker.fleet, "lausen").role) == (["DemoteNode"], "worker")
    summary = f"lausen is a worker now. {describe_tolerance(2)}."
    assert end_of(demoted) == JobFinished("done", summary)
    assert end_of(imker.run_job(Demote("lausen"))) == JobFinished("unchanged", "nothing to do: lausen is a worker")


def test_the_leader_can_be_demoted_and_the_card_says_so(imker: JobRunner) -> None:
    create_swarm(imker.fleet, THREE)
    leader = imker.fleet.world.swarm.leader()
    (name,) = [name for name in THREE if node_of(imker.fleet, name).id == leader]
    events = imker.run_job(Demote(name))
    (plan,) = [body for body in events if isinstance(body, Planned)]
    assert [(finding.check, finding.level) for finding in plan.findings] == [("leader", "warn")]
    assert end_of(approve(imker, Demote(name), events)).outcome == "done"
    assert imker.fleet.world.swarm.leader() not in ("", leader)


def test_the_last_manager_stays(imker: JobRunner) -> None:
    create_swarm(imker.fleet, {"connewitz": "manager", "lausen": "worker"})
    end = end_of(imker.run_job(Demote("connewitz")))
    assert (end.outcome, end.summary) == ("refused", "connewitz is the last manager, so it can't be demoted")


def test_an_approval_of_another_quorum_is_worth_nothing(imker: JobRunner) -> None:
    create_swarm(imker.fleet, THREE)
    events = imker.run_job(Demote("lausen"))
    node_of(imker.fleet, "tondi").role = "worker"
    asked_again = approve(imker, Demote("lausen"), events)
    assert question_of(asked_again).quorum == Quorum(2, 0, 1, 0)
    assert node_of(imker.fleet, "lausen").role == "manager"


@pytest.mark.parametrize("unreachable", [True, False])
def test_only_the_unreachable_manager_can_be_demoted(imker: JobRunner, unreachable: bool) -> None:
    create_swarm(imker.fleet, THREE)
    imker.fleet.reboot("tondi", seconds=3600)
    name = "tondi" if unreachable else "lausen"
    events = imker.run_job(Demote(name))
    if unreachable:
        assert end_of(approve(imker, Demote(name), events)).outcome == "done"
        assert node_of(imker.fleet, name).role == "worker"
    else:
        assert "would lose quorum without lausen" in end_of(events).summary


def test_an_operators_drain_is_activated_by_the_same_user_at_once(imker: JobRunner) -> None:
    create_swarm(imker.fleet, TWO)
    node = node_of(imker.fleet, "lausen")
    node.availability, node.labels = "drain", {DRAIN_LABEL: "k3fm9x2q U01ALICE", "zone": "a"}
    assert end_of(imker.run_job(Activate("lausen"))).outcome == "done"
    assert (node.availability, node.labels) == ("active", {"zone": "a"})
    assert end_of(imker.run_job(Activate("lausen"))) == JobFinished("unchanged", "nothing to do: lausen is active")


@pytest.mark.parametrize(
    ("label", "text"),
    [
        ({DRAIN_LABEL: "k3fm9x2q U02BOB"}, "by run k3fm9x2q of another user"),
        ({}, "outside Imker"),
        ({DRAIN_LABEL: "<!channel> U01ALICE"}, "outside Imker"),
    ],
)
def test_a_drain_by_others_is_a_warning(imker: JobRunner, label: dict[str, str], text: str) -> None:
    create_swarm(imker.fleet, TWO)
    node = node_of(imker.fleet, "lausen")
    node.availability, node.labels = "drain", label
    events = imker.run_job(Activate("lausen"))
    (plan,) = [body for body in events if isinstance(body, Planned)]
    assert question_of(events).question == "continue"
    assert text in plan.findings[0].text
    assert end_of(approve(imker, Activate("lausen"), events)).outcome == "done"
    assert (node.availability, node.labels) == ("active", {})


def test_a_pending_manager_is_not_activated(imker: JobRunner) -> None:
    create_swarm(imker.fleet, TWO)
    node = node_of(imker.fleet, "lausen")
    node.availability, node.labels = "drain", {PENDING_LABEL: "manager"}
    end = end_of(imker.run_job(Activate("lausen")))
    assert (end.outcome, [each.command.text for each in end.next_commands]) == (
        "refused",
        [f"accept {node.id[:12]}", f"reject {node.id[:12]}"],
    )


def test_a_host_outside_the_swarm_is_refused(imker: JobRunner) -> None:
    create_swarm(imker.fleet, {"connewitz": "manager"})
    for command in (Promote("lausen"), Demote("lausen"), Activate("lausen")):
        end = end_of(imker.run_job(command))
        assert (end.outcome, end.summary) == ("refused", "lausen is not a node of the swarm"), command


def test_each_change_asks_first_if_the_configuration_says_so(imker: JobRunner) -> None:
    create_swarm(imker.fleet, TWO)
    node = node_of(imker.fleet, "lausen")
    node.availability, node.labels = "drain", {DRAIN_LABEL: "k3fm9x2q U01ALICE"}
    confirming = replace(imker, confirm=True)
    events = confirming.run_job(Activate("lausen"))
    assert (question_of(events).question, node.availability) == ("start", "drain")
    assert end_of(approve(confirming, Activate("lausen"), events)).outcome == "done"
