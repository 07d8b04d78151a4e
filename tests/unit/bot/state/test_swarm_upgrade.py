"""Test a fleet that upgrades the nodes of a swarm: the pause between nodes, the command of each node, and the end."""

from dataclasses import replace

import pytest

from bot.messages.runs import fleet_message, fleet_report
from bot.state.fleet_order import hosts_to_start
from bot.state.fleet_state import FleetState, outcome
from bot.state.host_runs import host_run_record
from imker.protocol.commands import Migrate
from imker.protocol.node_commands import Upgrade, UpgradeAll
from tests.support.fleet_states import Word, build_fleet, host_plan

PLANS = [replace(host_plan(name, "manager", wave), joins=False) for wave, name in enumerate(("a", "b", "c"))]


def upgrading(*words: Word, pause: float = 0.0, started: bool = True, packages: tuple[str, ...] = ()) -> FleetState:
    plans = [replace(plan, packages=packages) for plan in PLANS]
    fleet = build_fleet(list(zip(plans, words, strict=True)), parallel=1, started=started)
    record = replace(fleet.run.record, command=UpgradeAll("28.*"), command_text="upgrade all --to 28.*")
    run = replace(fleet.run, record=record)
    return replace(fleet, run=run, plan=replace(fleet.plan, pause_seconds=pause))


def starting(fleet: FleetState) -> list[str]:
    return [plan.host for plan in hosts_to_start(fleet)]


def test_one_node_after_the_other() -> None:
    assert starting(upgrading("pending", "pending", "pending")) == ["a"]
    assert starting(upgrading("running", "pending", "pending")) == []
    assert starting(upgrading("done", "pending", "pending")) == ["b"]
    assert starting(upgrading("failed", "pending", "pending")) == []


@pytest.mark.parametrize(("seconds", "expected"), [(29.0, []), (30.0, ["b"]), (31.0, ["b"])])
def test_a_pause_after_each_node(seconds: float, expected: list[str]) -> None:
    fleet = upgrading("done", "pending", "pending", pause=30.0)
    (first, *others) = fleet.hosts
    assert first.run is not None
    ended = replace(first, run=replace(first.run, finished_at=fleet.run.now - seconds))
    assert starting(replace(fleet, hosts=(ended, *others))) == expected


def test_the_first_node_does_not_wait() -> None:
    assert starting(upgrading("pending", "pending", "pending", pause=3600.0)) == ["a"]


def test_each_node_has_a_run_of_its_own_with_the_version() -> None:
    record = host_run_record(upgrading("pending", "pending", "pending"), PLANS[0], 1.0)
    assert (record.command, record.command_text) == (Upgrade("a", "28.*"), "upgrade a --to 28.*")
    assert record.allowed_hosts == ("a",)
    migrated = host_run_record(build_fleet([(PLANS[0], "pending")]), PLANS[0], 1.0)
    assert (migrated.command, migrated.command_text) == (Migrate("a", "manager"), "migrate a --manager")


def test_the_end_says_what_was_upgraded() -> None:
    fleet = upgrading("done", "done", "done")
    end = outcome(fleet)
    assert end is not None
    assert end.summary == "3 nodes upgraded."
    assert fleet_message.render(fleet).text.startswith("✅ *3 nodes upgraded*")
    failed = outcome(upgrading("done", "restored", "pending"))
    assert failed is not None
    assert failed.state == "Upgraded: a. Not started: c."
    assert "upgrade the remaining hosts" in failed.next_commands[0].purpose


def test_messages_name_the_upgrade() -> None:
    fleet = upgrading("running", "pending", "pending")
    assert "*Upgrade the whole swarm*" in fleet_message.render(fleet).text
    assert fleet_report.render_report(fleet).startswith("# Upgrade of the swarm, run ")
    fleet = upgrading("pending", "pending", "pending", started=False, packages=("docker.io=28.5.2",))
    assert "While the first host is upgraded, 3 hosts download" in str(fleet_message.render(fleet).blocks)
