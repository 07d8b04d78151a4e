"""With `[rights] confirm`, each change shows its plan, and changes nothing until a person starts that very plan."""

import time
from dataclasses import replace

import pytest

from imker.protocol.commands import Accept, Approval, Command, Migrate, Reject, RetireStore, StartContainers
from imker.protocol.events import DecisionRequested, EventBody, Planned
from jobs.plan import Plan
from lab.simulated.machine import Machine
from tests.simulated.conftest import JobRunner

STORE = "consulnode01"


@pytest.fixture
def careful(imker: JobRunner) -> JobRunner:
    return replace(imker, confirm=True)


def yes(question: EventBody) -> Approval:
    assert isinstance(question, DecisionRequested)
    return Approval("U02BOB", question.fingerprint, time.time())


def ask(imker: JobRunner, command: Command) -> DecisionRequested:
    """Run the command, which must show its steps, ask whether to start, and change nothing."""
    before = imker.fleet.world.history.actions()
    events = imker.run_job(command)
    question = events[-1]
    assert isinstance(question, DecisionRequested), question
    assert question.question == "start"
    assert [body for body in events if isinstance(body, Planned) and body.steps]
    assert imker.fleet.world.history.actions() == before
    return question


def test_migrates_after_the_start_of_the_plan_that_was_shown(careful: JobRunner) -> None:
    question = ask(careful, Migrate("connewitz", "manager"))
    assert question.host == "connewitz"
    last = careful.run_job(Migrate("connewitz", "manager"), yes(question))[-1]
    assert (last.outcome, last.summary) == ("done", "connewitz joined the swarm.")


def test_asks_again_if_the_plan_has_changed(careful: JobRunner) -> None:
    question = ask(careful, Migrate("connewitz", "manager"))
    other = replace(yes(question), fingerprint="0" * 16)
    again = careful.run_job(Migrate("connewitz", "manager"), other)[-1]
    assert (again.question, again.fingerprint) == ("start", question.fingerprint)
    assert not careful.fleet["connewitz"].dockerd.version.startswith("26")


def test_asks_nothing_if_nothing_is_to_be_done(imker: JobRunner, careful: JobRunner) -> None:
    imker.run_job(Migrate("connewitz", "manager"))
    assert replace(careful, run=imker.run).run_job(Migrate("connewitz", "manager"))[-1].outcome == "unchanged"


def test_the_start_of_a_fleet_covers_its_hosts(careful: JobRunner) -> None:
    """The fleet's start approves the warnings of each host, here none, with the request of the host's first job."""
    from_fleet = Approval("U02BOB", Plan(()).warnings_fingerprint, time.time())
    assert careful.run_job(Migrate("connewitz", "manager"), from_fleet)[-1].outcome == "done"


def test_asks_before_containers_start_and_not_after_their_question(imker: JobRunner, careful: JobRunner) -> None:
    _stop(imker.fleet["tondi"], "web")
    question = ask(careful, StartContainers("tondi", ("web",)))
    assert careful.run_job(StartContainers("tondi", ("web",)), yes(question))[-1].outcome == "done"
    assert imker.fleet["tondi"].containers["web"].running


def _stop(machine: Machine, name: str) -> None:
    machine.containers[name].running = False


def test_asks_before_a_typed_retirement_and_not_after_its_question(imker: JobRunner, careful: JobRunner) -> None:
    imker.run_job(Migrate("connewitz", "manager"))
    imker.run_job(Migrate("lausen", "worker"))
    offered = imker.run_job(Migrate("tondi", "worker"))[-1]
    assert offered.question == "stop_store"
    by_button = replace(careful, run=imker.run, job=imker.job)
    assert by_button.run_job(RetireStore("lausen"), yes(offered))[-1].question == "remove_store"
    imker.fleet["lausen"].containers[STORE].running = True
    command_run = replace(careful, run=imker.run)
    question = ask(command_run, RetireStore("lausen"))
    removal = command_run.run_job(RetireStore("lausen"), yes(question))[-1]
    assert removal.question == "remove_store"
    assert command_run.run_job(RetireStore("lausen"), yes(removal))[-1].outcome == "done"
    assert STORE not in imker.fleet["lausen"].containers


def test_asks_before_a_typed_rejection_and_not_after_the_acceptance_question(
    imker: JobRunner, careful: JobRunner
) -> None:
    imker.run_job(Migrate("connewitz", "manager"))
    waiting = imker.run_job(Migrate("tondi", "manager"))[-1]
    node = waiting.candidate.node
    command_run = replace(careful, run=imker.run)
    ask(command_run, Reject(node))
    by_button = replace(careful, run=imker.run, job=imker.job)
    assert by_button.run_job(Reject(node), yes(waiting))[-1].outcome == "done"


def test_accepting_asks_its_own_question_only(imker: JobRunner, careful: JobRunner) -> None:
    imker.run_job(Migrate("connewitz", "manager"))
    node = imker.run_job(Migrate("tondi", "manager"))[-1].candidate.node
    command_run = replace(careful, run=imker.run)
    question = command_run.run_job(Accept(node))[-1]
    assert question.question == "accept"
    assert "is a manager now" in command_run.run_job(Accept(node), yes(question))[-1].summary
