"""Plan a fleet of simulated hosts: what it asks, what it refuses, and what remains after part of it."""

import time

import pytest

from imker.protocol.commands import Accept, Approval, ListHosts, Migrate, MigrateAll, PlanHost
from imker.protocol.events import (
    DecisionRequested,
    EventBody,
    FleetPlanned,
    JobFinished,
    Planned,
    StepDone,
    StepProgress,
)
from tests.simulated.conftest import JobRunner


def fleet_plan_of(events: list[EventBody]) -> FleetPlanned:
    (matches,) = [body for body in events if isinstance(body, FleetPlanned)]
    return matches


def test_inspects_and_arranges_a_fleet_and_waits_for_start(imker: JobRunner) -> None:
    events = imker.run_job(MigrateAll())
    assert {body.text for body in events if isinstance(body, StepProgress)} == {
        "inspected connewitz", "inspected tondi", "inspected lausen"
    }  # fmt: skip
    assert [body.key for body in events if isinstance(body, StepDone)] == ["Gather", "Probe"]
    legs = fleet_plan_of(events).host_plans
    assert [(leg.host, leg.role, leg.tolerance[:10]) for leg in legs] == [
        ("connewitz", "manager", "1 manager "), ("tondi", "manager", "2 managers"), ("lausen", "worker", "2 managers")
    ]  # fmt: skip
    assert isinstance(events[-1], DecisionRequested)
    assert events[-1].question == "start_fleet"
    deeds = [deed for deed in imker.fleet.world.history.actions() if "imker-probe" not in deed.detail]
    assert deeds == [], "nothing is changed"


def test_unreachable_host_blocks_the_plan_unless_excluded(imker: JobRunner) -> None:
    imker.fleet["tondi"].on_power_change(False)
    refused = imker.run_job(MigrateAll())[-1]
    assert isinstance(refused, JobFinished)
    assert (refused.outcome, refused.summary) == ("refused", "blocking findings for tondi")
    assert [item.command for item in refused.next_commands] == [MigrateAll(("tondi",))]
    without = imker.run_job(MigrateAll(("tondi",)))
    assert [leg.host for leg in fleet_plan_of(without).host_plans] == ["connewitz", "lausen"]
    assert isinstance(without[-1], DecisionRequested)


def test_rejects_an_unknown_host_to_exclude(imker: JobRunner) -> None:
    (_, ended) = imker.run_job(MigrateAll(("tondy",)))
    assert (ended.outcome, ended.summary, ended.hint) == (
        "failed",
        "no host tondy in the inventory",
        "Did you mean tondi?",
    )
    assert [item.command for item in ended.next_commands] == [ListHosts()]


@pytest.mark.parametrize("moved", [1, 2, 3])
def test_plans_only_remaining_hosts_and_finally_nothing(imker: JobRunner, moved: int) -> None:
    for name, role in (("connewitz", "manager"), ("tondi", "manager"), ("lausen", "worker"))[:moved]:
        waiting = imker.run_job(Migrate(name, role))[-1]
        if isinstance(waiting, DecisionRequested) and waiting.question == "accept":
            imker.run_job(Accept(waiting.candidate.node), Approval("U02BOB", waiting.fingerprint, time.time()))
    events = imker.run_job(MigrateAll())
    assert set(fleet_plan_of(events).done_hosts) == {"connewitz", "tondi", "lausen"} - {
        leg.host for leg in fleet_plan_of(events).host_plans
    }
    assert len(fleet_plan_of(events).done_hosts) == moved
    if moved == 3:
        assert events[-1] == JobFinished("unchanged", "nothing to do: all 3 hosts are in the swarm")


def test_host_of_the_store_goes_first_if_it_is_the_only_manager(
    imker: JobRunner,
) -> None:
    config = imker.fleet.folder / "imker.toml"
    before, lausen = config.read_text().replace('role = "manager"', 'role = "worker"').split("[hosts.lausen]")
    config.write_text(f"{before}[hosts.lausen]{lausen.replace('worker', 'manager')}")
    events = imker.run_job(MigrateAll())
    legs = fleet_plan_of(events).host_plans
    assert [(leg.host, leg.role) for leg in legs] == [
        ("lausen", "manager"), ("connewitz", "worker"), ("tondi", "worker")
    ]  # fmt: skip
    assert isinstance(events[-1], DecisionRequested)
    (alone,) = [body for body in imker.run_job(PlanHost("lausen", "manager")) if isinstance(body, Planned)]
    assert legs[0].step_count == len(alone.steps)
    assert "StopStore" not in [step.key for step in alone.steps]
