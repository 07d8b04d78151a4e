"""A fleet's plan from a real look at simulated hosts: what is asked, what refuses, what is left after some of it."""

import time

import pytest

from jobs.contract import (
    Accept,
    Approval,
    Ended,
    FleetPlanned,
    Migrate,
    MigrateAll,
    PlanHost,
    Planned,
    StepDone,
    StepNote,
    Waiting,
)


def planned(told: list) -> FleetPlanned:
    (found,) = [body for body in told if isinstance(body, FleetPlanned)]
    return found


def test_a_fleet_is_looked_at_arranged_and_waits_for_start(imker) -> None:
    told = imker.does(MigrateAll())
    assert {body.text for body in told if isinstance(body, StepNote)} == {
        "connewitz looked at", "tondi looked at", "lausen looked at"
    }  # fmt: skip
    assert [body.key for body in told if isinstance(body, StepDone)] == ["Look", "Probe"]
    legs = planned(told).legs
    assert [(leg.host, leg.role, leg.survives[:10]) for leg in legs] == [
        ("connewitz", "manager", "1 manager:"), ("tondi", "manager", "2 managers"), ("lausen", "worker", "2 managers")
    ]  # fmt: skip
    assert isinstance(told[-1], Waiting)
    assert told[-1].question == "start"
    deeds = [deed for deed in imker.fleet.world.history.deeds() if "imker-probe" not in deed.what]
    assert deeds == [], "nothing is changed"


def test_a_host_that_does_not_answer_stops_the_plan_and_can_be_left_out(imker) -> None:
    imker.fleet["tondi"].power(False)
    refused = imker.does(MigrateAll())[-1]
    assert isinstance(refused, Ended)
    assert (refused.outcome, refused.summary) == ("refused", "not to be touched as it is: tondi")
    assert "/swarm migrate all --without tondi" in refused.hint
    without = imker.does(MigrateAll(("tondi",)))
    assert [leg.host for leg in planned(without).legs] == ["connewitz", "lausen"]
    assert isinstance(without[-1], Waiting)


def test_who_may_be_left_out_has_to_be_known(imker) -> None:
    (_, ended) = imker.does(MigrateAll(("tondy",)))
    assert (ended.outcome, ended.summary, ended.hint) == (
        "failed",
        "no host tondy in the inventory",
        "Did you mean tondi? /swarm hosts lists them.",
    )


@pytest.mark.parametrize("moved", [1, 2, 3])
def test_what_is_done_is_not_in_the_next_plan_and_in_the_end_there_is_nothing_to_do(imker, moved: int) -> None:
    for name, role in (("connewitz", "manager"), ("tondi", "manager"), ("lausen", "worker"))[:moved]:
        waiting = imker.does(Migrate(name, role))[-1]
        if isinstance(waiting, Waiting) and waiting.question == "accept":
            imker.does(Accept(waiting.candidate.node), Approval("U02BOB", waiting.fingerprint, time.time()))
    told = imker.does(MigrateAll())
    assert set(planned(told).done) == {"connewitz", "tondi", "lausen"} - {leg.host for leg in planned(told).legs}
    assert len(planned(told).done) == moved
    if moved == 3:
        assert told[-1] == Ended("nothing", "nothing to do: all 3 hosts are in the swarm")


def test_a_stores_host_that_is_the_only_manager_goes_first_and_its_store_stays_for_those_after_it(imker) -> None:
    config = imker.fleet.folder / "imker.toml"
    before, lausen = config.read_text().replace('role = "manager"', 'role = "worker"').split("[hosts.lausen]")
    config.write_text(f"{before}[hosts.lausen]{lausen.replace('worker', 'manager')}")
    told = imker.does(MigrateAll())
    legs = planned(told).legs
    assert [(leg.host, leg.role) for leg in legs] == [
        ("lausen", "manager"), ("connewitz", "worker"), ("tondi", "worker")
    ]  # fmt: skip
    assert isinstance(told[-1], Waiting)
    (alone,) = [body for body in imker.does(PlanHost("lausen", "manager")) if isinstance(body, Planned)]
    assert legs[0].steps == len(alone.steps)
    assert "StopStore" not in [step.key for step in alone.steps]
