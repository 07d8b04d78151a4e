"""Run jobs whose host or swarm another run has taken over: they change nothing more, whatever their next step."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from imker.protocol.commands import Accept, Approval, Command, Migrate
from imker.protocol.events import DecisionRequested, EventBody, JobFinished, StepFailed
from imker.protocol.version import KNOWN_SWARM_KEY
from jobs import repair, steps
from jobs.execute import exclusive, runner
from jobs.locking import lease
from lab.chaos import invariants
from tests.simulated.conftest import JobRunner


@pytest.fixture
def sleeps(imker: JobRunner, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[EventBody]]:
    """Run a job that sleeps before a step, longer than its lease, while other runs finish. Return its events."""
    do = runner._run_step
    # Its own thread is asleep as well, and does not notice that the lock is lost.
    asleep_lock = partial(lease.acquire_lock, lease_seconds=3600, renew_interval=3600)
    monkeypatch.setattr(exclusive, "acquire_lock", asleep_lock)

    def run(
        step: type, lock: str, others: Callable[[], Any], command: Command, *approvals: Approval
    ) -> list[EventBody]:
        def asleep(context: Any, now: steps.Step, *rest: Any) -> None:
            if isinstance(now, step) and not woken:
                woken.append(now)
                imker.redis.delete(f"lock:{lock}")
                current_job = imker.run, imker.job
                others()
                imker.run, imker.job = current_job
            do(context, now, *rest)

        woken: list[steps.Step] = []
        monkeypatch.setattr(runner, "_run_step", asleep)
        events = imker.run_job(command, *approvals)
        assert woken, "it came to that step"
        return events

    return run


HOST_STEPS = (
    steps.RemoveClassicContainers,
    steps.UpgradeEngine,
    steps.RestartEngine,
    steps.JoinSwarm,
    steps.MarkPending,
)


@pytest.mark.parametrize("step", HOST_STEPS)
def test_host_rejects_the_next_step_of_an_older_run(
    imker: JobRunner, sleeps: Callable[..., list[EventBody]], step: type
) -> None:
    imker.run_job(Migrate("connewitz", "manager"))
    again: list[EventBody] = []
    tondi = Migrate("tondi", "manager")
    events = sleeps(step, "host:tondi", lambda: again.extend(imker.run_job(tondi)), tondi)
    assert isinstance(again[-1], DecisionRequested), again[-1]
    assert_refused(events, step, "tondi rejects changes of this run: run run3 claimed it at ")
    assert_sound(imker)


@pytest.mark.parametrize("step", [steps.PromoteNode, steps.ActivateNode])
def test_swarm_rejects_the_next_step_of_an_older_run(
    imker: JobRunner, sleeps: Callable[..., list[EventBody]], step: type
) -> None:
    imker.run_job(Migrate("connewitz", "manager"))
    question = imker.run_job(Migrate("tondi", "manager"))[-1]
    accept = Accept(question.candidate.node)
    events = sleeps(
        step,
        "swarm",
        lambda: imker.run_job(Migrate("lausen", "worker")),
        accept,
        Approval("U02BOB", question.fingerprint, 0),
    )
    assert_refused(events, step, "the swarm rejects changes of this run: run run3 claimed it at ")
    promoted = imker.fleet.world.history.actions("promote")
    assert bool(promoted) == (step is steps.ActivateNode)
    assert_sound(imker)


def test_initializes_no_second_swarm_while_the_first_manager_is_unreachable(
    imker: JobRunner, sleeps: Callable[..., list[EventBody]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first manager answered when the plan was made. It was unreachable before its swarm could be saved."""

    def initialize_first() -> None:
        assert imker.run_job(Migrate("tondi", "manager"))[-1].outcome == "done"
        imker.redis.delete(KNOWN_SWARM_KEY)
        imker.fleet["tondi"].dockerd.stop()

    monkeypatch.setattr(exclusive, "REACHABLE_TIMEOUT", 0)
    last = sleeps(steps.InitSwarm, "swarm", initialize_first, Migrate("connewitz", "manager"))[-1]
    assert [action.host for action in imker.fleet.world.history.actions("init")] == ["tondi"]
    assert isinstance(last, JobFinished)
    assert (last.outcome, "tondi" in last.summary) == ("failed", True), last


def assert_refused(events: list[EventBody], step: type, summary: str) -> None:
    failed, last = events[-2:]
    assert isinstance(failed, StepFailed)
    assert failed.key == step.__name__
    assert isinstance(last, JobFinished)
    assert last.outcome == "failed"
    assert last.summary.startswith(summary)
    assert last.state == "Completed steps are kept. Run run3 makes all further changes."
    assert [item.command.text for item in last.next_commands] == ["status run3"]


def assert_sound(imker: JobRunner) -> None:
    deeds = imker.fleet.world.history.actions()
    assert invariants.fencing_token_never_decreases(deeds) == []
    assert invariants.nothing_done_twice(deeds) == []
    assert [deed for deed in deeds if deed.token] != []


def test_explains_a_broken_fencing_token_of_the_swarm_until_repaired(imker: JobRunner) -> None:
    imker.run_job(Migrate("connewitz", "manager"))
    imker.fleet.world.swarm.labels = {"imker.fence": "99999999999999999999 x 1.0"}
    last = imker.run_job(Migrate("lausen", "worker"))[-1]
    assert (last.outcome, last.summary) == (
        "failed",
        "the swarm has an invalid fencing number: 99999999999999999999 x 1.0",
    )
    assert "imker repair swarm" in last.hint
    assert list(imker.redis.scan_iter("lock:*")) == []
    assert len(repair._repair_swarm(imker.settings, imker.inventory)) == 1
    assert imker.run_job(Migrate("lausen", "worker"))[-1].outcome == "done"


def test_explains_a_broken_fencing_token_of_a_host_until_repaired(imker: JobRunner) -> None:
    imker.run_job(Migrate("connewitz", "manager"))
    imker.fleet["lausen"].disk.texts["/var/lib/imker/fence"] = "99999999999999999999 x 1.0\n"
    last = imker.run_job(Migrate("lausen", "worker"))[-1]
    assert (last.outcome, "lausen has an invalid fencing number" in last.summary) == ("failed", True), last
    with imker.shell(imker.host("lausen")) as shell:
        assert len(repair.repair_on_host(shell)) == 1
    assert imker.run_job(Migrate("lausen", "worker"))[-1].outcome == "done"
