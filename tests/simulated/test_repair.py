"""Repair a manager whose Engine is down while no other manager can show the swarm."""

import pytest

from imker.protocol.commands import Approval, ListNodes, Migrate
from imker.protocol.events import DecisionRequested, EventBody, JobFinished, NodeTable, Planned
from imker.protocol.next_command import NextCommand
from lab.fleet.daemon_option_files import UNIT_PATH
from tests.simulated.conftest import JobRunner

REPAIR = Migrate("connewitz", "manager")


@pytest.fixture
def swarm(imker: JobRunner) -> JobRunner:
    """Return a swarm with one manager, connewitz, and one worker, tondi."""
    imker.run_job(REPAIR)
    imker.run_job(Migrate("tondi", "worker"))
    return imker


def plan_of(events: list[EventBody]) -> Planned:
    return next(body for body in events if isinstance(body, Planned))


def approve(imker: JobRunner, events: list[EventBody]) -> JobFinished:
    question = events[-1]
    assert isinstance(question, DecisionRequested), question
    assert question.question == "continue"
    (*_, outcome) = imker.run_job(REPAIR, Approval("U01ALICE", question.fingerprint, 0.0))
    assert isinstance(outcome, JobFinished)
    return outcome


def test_repairs_the_only_manager(swarm: JobRunner) -> None:
    swarm.fleet["connewitz"].dockerd.stop()
    events = swarm.run_job(REPAIR)
    plan = plan_of(events)
    assert next(step.title for step in plan.steps) == "Restart the Engine and verify its API"
    (finding,) = [finding for finding in plan.findings if finding.check == "swarm"]
    assert finding.text == "connewitz manages the swarm, its Engine is down, and no other manager can show the swarm"
    outcome = approve(swarm, events)
    assert (outcome.outcome, outcome.summary) == (
        "done",
        "connewitz's Engine runs again, and the swarm is managed again.",
    )
    assert outcome.next_commands == (NextCommand(Migrate("connewitz"), "run the remaining steps"),)
    (table,) = [body for body in swarm.run_job(ListNodes()) if isinstance(body, NodeTable)]
    assert {row.hostname: row.status for row in table.rows} == {"connewitz": "Ready", "tondi": "Ready"}
    assert swarm.run_job(REPAIR)[-1].outcome == "unchanged"
    assert len(swarm.fleet.world.history.actions("init")) == 1


def test_repairs_a_manager_whose_options_keep_it_down(swarm: JobRunner) -> None:
    """docker-machine wrote the classic Swarm's options again, and the Engine did not start with them."""
    machine = swarm.fleet["connewitz"]
    machine.dockerd.stop()
    text = machine.disk.texts[UNIT_PATH]
    machine.disk.write(UNIT_PATH, text.replace("--tlsverify", "--cluster-store=consul://10.0.0.1:8500 --tlsverify"))
    assert not machine.dockerd.start()
    events = swarm.run_job(REPAIR)
    titles = [step.title for step in plan_of(events).steps]
    assert titles[:2] == ["Remove classic Swarm daemon options", "Restart the Engine and verify its API"]
    assert approve(swarm, events).outcome == "done"
    assert "cluster-store" not in machine.disk.texts[UNIT_PATH]


def test_a_worker_is_still_refused_meanwhile(swarm: JobRunner) -> None:
    swarm.fleet["connewitz"].dockerd.stop()
    outcome = swarm.run_job(Migrate("tondi", "worker"))[-1]
    assert (outcome.outcome, "only workers are reachable" in outcome.summary) == ("refused", True)
    assert NextCommand(Migrate("connewitz"), "repair its manager connewitz") in outcome.next_commands


def test_a_manager_without_workers_is_repaired_and_initializes_no_second_swarm(imker: JobRunner) -> None:
    imker.run_job(REPAIR)
    imker.fleet["connewitz"].dockerd.stop()
    assert approve(imker, imker.run_job(REPAIR)).outcome == "done"
    assert len(imker.fleet.world.history.actions("init")) == 1
