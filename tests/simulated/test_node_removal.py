"""Drain nodes of a swarm of simulated hosts that run services, and remove them."""

import threading

import pytest

from imker.protocol import signed
from imker.protocol.commands import Accept, Hold, Migrate, Role
from imker.protocol.events import DecisionRequested, JobFinished, Planned, StepProgress
from imker.protocol.node_commands import Activate, Drain, Promote, Remove
from imker.protocol.values import Quorum
from imker.protocol.version import hold_key
from jobs.execute import node_changes
from jobs.facts.quorum import describe_tolerance
from jobs.facts.swarm import DRAIN_LABEL, PENDING_LABEL
from tests.simulated.conftest import JobRunner
from tests.simulated.test_node_roles import THREE, TWO, approve, done_steps, end_of, question_of
from tests.support import streams
from tests.support.swarm_setup import create_swarm, node_of, start_service, task_hosts

ONE: dict[str, Role] = {"connewitz": "manager", "lausen": "worker"}
ON_LAUSEN = ("node.hostname==lausen",)


def test_a_drain_asks_with_what_moves_and_waits_for_the_last_task(imker: JobRunner) -> None:
    create_swarm(imker.fleet, TWO)
    start_service(imker.fleet, "web", 3)
    start_service(imker.fleet, "agent", None)
    node = node_of(imker.fleet, "lausen")
    events = imker.run_job(Drain("lausen"))
    question = question_of(events)
    assert (question.question, question.host, node.availability) == ("start", "lausen", "active")
    assert question.summary.startswith(
        "Drain lausen? Tasks move to other nodes: web. Global services stop on it: agent. "
        "Not part of a service, so they keep running: "
    )
    drained = approve(imker, Drain("lausen"), events)
    assert done_steps(drained) == ["SetAvailability", "WaitForTasks"]
    assert end_of(drained).summary == "lausen is drained. No service task runs on it."
    assert [each.command.text for each in end_of(drained).next_commands] == ["activate lausen"]
    assert (node.availability, node.labels) == ("drain", {DRAIN_LABEL: f"run{imker.run} U01ALICE"})
    assert "lausen" not in task_hosts(imker.fleet, "web") + task_hosts(imker.fleet, "agent")
    again = end_of(imker.run_job(Drain("lausen")))
    assert again == JobFinished("unchanged", "nothing to do: lausen is drained, and no service task runs on it")


def test_warns_of_what_goes_down(imker: JobRunner) -> None:
    create_swarm(imker.fleet, TWO)
    start_service(imker.fleet, "db", 1, ON_LAUSEN)
    (plan,) = [body for body in imker.run_job(Drain("lausen")) if isinstance(body, Planned)]
    warnings = {finding.check: finding.text for finding in plan.findings if finding.level == "warn"}
    assert "db" in warnings["single replicas"]
    assert "constraint node.hostname==lausen matches 0 of 2 nodes" in warnings["placement"]


def test_an_approval_is_worth_nothing_after_another_service_came_to_the_node(imker: JobRunner) -> None:
    create_swarm(imker.fleet, TWO)
    events = imker.run_job(Drain("lausen"))
    start_service(imker.fleet, "db", 1, ON_LAUSEN)
    asked_again = approve(imker, Drain("lausen"), events)
    assert question_of(asked_again).fingerprint != question_of(events).fingerprint
    assert node_of(imker.fleet, "lausen").availability == "active"


def test_the_last_active_node_can_be_drained_and_the_plan_says_what_that_means(imker: JobRunner) -> None:
    create_swarm(imker.fleet, ONE)
    node_of(imker.fleet, "connewitz").availability = "drain"
    start_service(imker.fleet, "web", 1)
    events = imker.run_job(Drain("lausen"))
    (plan,) = [body for body in events if isinstance(body, Planned)]
    assert "lausen is the last active node" in plan.findings[0].text
    assert end_of(approve(imker, Drain("lausen"), events)).outcome == "done"
    assert task_hosts(imker.fleet, "web") == []
    assert end_of(imker.run_job(Activate("lausen"))).outcome == "done"


def test_a_node_that_others_drained_is_left_to_them(imker: JobRunner) -> None:
    create_swarm(imker.fleet, TWO)
    node = node_of(imker.fleet, "lausen")
    node.availability, node.labels = "drain", {DRAIN_LABEL: "k3fm9x2q U02BOB"}
    assert end_of(imker.run_job(Drain("lausen"))).outcome == "unchanged"
    assert node.labels == {DRAIN_LABEL: "k3fm9x2q U02BOB"}


def test_a_slow_task_is_waited_for_with_progress_and_can_be_paused(imker: JobRunner) -> None:
    create_swarm(imker.fleet, TWO)
    start_service(imker.fleet, "db", 1, ON_LAUSEN)
    swarm, stuck = imker.fleet.world.swarm, threading.Event()
    orchestrator = swarm.services.orchestrator
    keep = orchestrator.stop_task
    events = imker.run_job(Drain("lausen"))
    run = f"run{imker.run}"
    orchestrator.stop_task = lambda task: keep(task) if stuck.is_set() else pause(imker, run)  # type: ignore[method-assign]
    paused = approve(imker, Drain("lausen"), events)
    assert question_of(paused).question == "resume"
    assert "Not done: Wait for the node's service tasks to stop" in question_of(paused).summary
    assert StepProgress("WaitForTasks", "1 task left") in paused
    assert "lock:swarm" not in {key.decode() for key in imker.redis.keys("lock:*")}
    stuck.set()
    imker.redis.delete(f"run:{run}:hold")
    assert end_of(approve(imker, Drain("lausen"), paused)).outcome == "done"
    assert task_hosts(imker.fleet, "db") == []


def test_a_worker_is_drained_leaves_and_is_removed(imker: JobRunner) -> None:
    create_swarm(imker.fleet, TWO)
    start_service(imker.fleet, "web", 3)
    events = imker.run_job(Remove("lausen"))
    assert (question_of(events).quorum, node_of(imker.fleet, "lausen").availability) == (None, "active")
    removed = approve(imker, Remove("lausen"), events)
    assert done_steps(removed) == ["SetAvailability", "WaitForTasks", "LeaveOnHost", "LeaveSwarm"]
    assert (end_of(removed).outcome, end_of(removed).hint) == ("done", "")
    assert {node.hostname for node in imker.fleet.world.swarm.nodes.values()} == {"connewitz", "tondi"}
    assert imker.fleet.world.swarm.node_of(imker.fleet["lausen"]) is None
    assert len(task_hosts(imker.fleet, "web")) in (2, 3)
    again = end_of(imker.run_job(Remove("lausen")))
    assert again == JobFinished("unchanged", "nothing to do: lausen is not a node of the swarm")
    assert [body.question for body in imker.run_job(Migrate("lausen", "worker")) if isinstance(body, DecisionRequested)]


def test_a_manager_is_demoted_before_it_is_removed(imker: JobRunner) -> None:
    create_swarm(imker.fleet, THREE)
    events = imker.run_job(Remove("lausen"))
    assert question_of(events).quorum == Quorum(3, 1, 2, 0)
    removed = approve(imker, Remove("lausen"), events)
    assert done_steps(removed) == ["SetAvailability", "WaitForTasks", "DemoteNode", "LeaveOnHost", "LeaveSwarm"]
    assert end_of(removed).summary == f"lausen was removed from the swarm. {describe_tolerance(2)}."
    kinds = [action.kind for action in imker.fleet.world.history.actions() if action.kind in ("demote", "leave")]
    assert kinds[:2] == ["demote", "leave"]


def test_the_leader_can_be_removed(imker: JobRunner) -> None:
    create_swarm(imker.fleet, THREE)
    events = imker.run_job(Remove("connewitz"))
    assert end_of(approve(imker, Remove("connewitz"), events)).outcome == "done"
    assert {node.hostname for node in imker.fleet.world.swarm.nodes.values()} == {"tondi", "lausen"}


def test_a_host_without_power_is_taken_off_the_list_and_the_outcome_says_what_is_left_to_do(imker: JobRunner) -> None:
    create_swarm(imker.fleet, TWO)
    imker.fleet.reboot("lausen", seconds=3600)
    events = imker.run_job(Remove("lausen"))
    (plan,) = [body for body in events if isinstance(body, Planned)]
    assert "unreachable over SSH" in plan.findings[-1].text
    removed = end_of(approve(imker, Remove("lausen"), events))
    hint = "lausen did not leave: when it is back, run `docker swarm leave --force` on it."
    assert (removed.outcome, removed.hint) == ("done", hint)
    assert {node.hostname for node in imker.fleet.world.swarm.nodes.values()} == {"connewitz", "tondi"}


def test_a_removal_stops_before_the_demotion_if_a_manager_fails_meanwhile(imker: JobRunner) -> None:
    create_swarm(imker.fleet, THREE)
    events = imker.run_job(Remove("lausen"))
    question = question_of(events)
    node_of(imker.fleet, "tondi").is_locked = True
    end = approve(imker, Remove("lausen"), events)[-1]
    assert isinstance(end, JobFinished)
    assert (end.outcome, question.quorum) == ("refused", Quorum(3, 1, 2, 0))
    assert node_of(imker.fleet, "lausen").role == "manager"


def test_a_pending_manager_is_neither_drained_nor_forgotten(imker: JobRunner) -> None:
    create_swarm(imker.fleet, TWO)
    node = node_of(imker.fleet, "lausen")
    pending = imker.run_job(Promote("lausen"))
    drained = imker.run_job(Drain("lausen"))
    assert end_of(approve(imker, Drain("lausen"), drained)).outcome == "done"
    assert (node.availability, PENDING_LABEL in node.labels) == ("drain", True)
    imker.run, imker.job = 1, 1
    accept_events = approve(imker, Accept(node.id), pending)
    assert (end_of(accept_events).outcome, node.role, node.availability) == ("done", "manager", "drain")


def pause(imker: JobRunner, run: str) -> None:
    """Pause the run, as a user does."""
    imker.redis.zadd(hold_key(run), {signed.sign_hold(run, Hold("pause", "U02BOB", 1.0), 1.0, streams.KEY): 1.0})


def test_a_manager_that_fails_during_the_drain_stops_the_removal_before_the_demotion(
    imker: JobRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_swarm(imker.fleet, THREE)
    events = imker.run_job(Remove("lausen"))

    def fail_meanwhile(*_: object) -> str:
        node_of(imker.fleet, "tondi").is_locked = True
        return "no service task is running"

    monkeypatch.setattr(node_changes, "wait_for_tasks", fail_meanwhile)
    removed = approve(imker, Remove("lausen"), events)
    assert (end_of(removed).outcome, done_steps(removed)) == ("failed", ["SetAvailability", "WaitForTasks"])
    assert "the swarm would lose quorum without lausen" in end_of(removed).summary
    assert "Not done: Demote the manager to worker; Leave the swarm on the host" in end_of(removed).state
    assert (node_of(imker.fleet, "lausen").role, node_of(imker.fleet, "lausen").availability) == ("manager", "drain")
