"""A run whose host or swarm another has taken meanwhile changes nothing there any more, whatever its next step is."""

from collections.abc import Callable
from typing import Any

import pytest

from jobs import repair, stepping, steps
from jobs.contract import Accept, Approval, Command, Ended, Migrate, StepFailed, Waiting
from lab.chaos import invariants


@pytest.fixture
def sleeps(imker, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list]:
    """What a run told that fell asleep before a step, until its lease was over and others had come and gone."""
    do = stepping._do

    def run(step: type, lock: str, others: Callable[[], Any], command: Command, *approvals: Approval) -> list:
        def asleep(office, now, *rest) -> None:
            if isinstance(now, step) and not woken:
                woken.append(now)
                imker.redis.delete(f"lock:{lock}")
                own = imker.run, imker.job
                others()
                imker.run, imker.job = own
            do(office, now, *rest)

        woken: list = []
        monkeypatch.setattr(stepping, "_do", asleep)
        told = imker.does(command, *approvals)
        assert woken, "it came to that step"
        return told

    return run


HOST_STEPS = (steps.RetireContainers, steps.UpgradeEngine, steps.RestartEngine, steps.JoinSwarm, steps.MarkPending)


@pytest.mark.parametrize("step", HOST_STEPS)
def test_the_next_step_on_a_host_is_refused_by_the_host(imker, sleeps, step: type) -> None:
    imker.does(Migrate("connewitz", "manager"))
    again: list = []
    tondi = Migrate("tondi", "manager")
    told = sleeps(step, "host:tondi", lambda: again.extend(imker.does(tondi)), tondi)
    assert isinstance(again[-1], Waiting), again[-1]
    assert_refused(told, step, "tondi refuses this run's changes: run run3 has it since ")
    assert_sound(imker)


@pytest.mark.parametrize("step", [steps.Promote, steps.Activate])
def test_the_next_step_on_the_swarm_is_refused_by_the_swarm(imker, sleeps, step: type) -> None:
    imker.does(Migrate("connewitz", "manager"))
    asked = imker.does(Migrate("tondi", "manager"))[-1]
    accept = Accept(asked.candidate.node)
    told = sleeps(
        step, "swarm", lambda: imker.does(Migrate("lausen", "worker")), accept, Approval("U02BOB", asked.fingerprint, 0)
    )
    assert_refused(told, step, "the swarm refuses this run's changes: run run3 has it since ")
    promoted = imker.fleet.world.history.deeds("promote")
    assert bool(promoted) == (step is steps.Activate)
    assert_sound(imker)


def assert_refused(told: list, step: type, summary: str) -> None:
    failed, last = told[-2:]
    assert isinstance(failed, StepFailed)
    assert failed.key == step.__name__
    assert isinstance(last, Ended)
    assert last.outcome == "failed"
    assert last.summary.startswith(summary)
    assert last.state == "What this run had done stays done; what comes next is run run3's."
    assert "/swarm status run3" in last.hint


def assert_sound(imker) -> None:
    deeds = imker.fleet.world.history.deeds()
    assert invariants.fence_never_goes_down(deeds) == []
    assert invariants.nothing_twice(deeds) == []
    assert [deed for deed in deeds if deed.fence] != []


def test_a_broken_number_in_the_swarm_stops_the_next_run_in_words_until_it_is_repaired(imker) -> None:
    imker.does(Migrate("connewitz", "manager"))
    imker.fleet.world.swarm.labels = {"imker.fence": "99999999999999999999 x 1.0"}
    last = imker.does(Migrate("lausen", "worker"))[-1]
    assert (last.outcome, last.summary) == (
        "failed",
        "the swarm has a fencing number that no run has: 99999999999999999999 x 1.0",
    )
    assert "python -m jobs repair swarm" in last.hint
    assert list(imker.redis.scan_iter("lock:*")) == []
    assert len(repair._of_swarm(imker.inventory)) == 1
    assert imker.does(Migrate("lausen", "worker"))[-1].outcome == "done"


def test_a_broken_number_on_a_host_stops_its_next_run_in_words_until_it_is_repaired(imker) -> None:
    imker.does(Migrate("connewitz", "manager"))
    imker.fleet["lausen"].disk.texts["/var/lib/imker/fence"] = "99999999999999999999 x 1.0\n"
    last = imker.does(Migrate("lausen", "worker"))[-1]
    assert (last.outcome, "lausen has a fencing number that no run has" in last.summary) == ("failed", True), last
    with imker.shell(imker.host("lausen")) as shell:
        assert len(repair.on_host(shell)) == 1
    assert imker.does(Migrate("lausen", "worker"))[-1].outcome == "done"
