"""Upgrade a swarm of simulated hosts from Engine 26.1 to 28.5, one node at a time."""

import pytest

from imker.protocol.commands import Role
from imker.protocol.events import DecisionRequested, EventBody, FleetPlanned, JobFinished, StepDone
from imker.protocol.node_commands import Upgrade, UpgradeAll
from jobs.execute.polling import wait_for
from jobs.facts.swarm import DRAIN_LABEL
from tests.simulated.conftest import JobRunner
from tests.simulated.test_node_roles import approve, end_of
from tests.support.swarm_setup import create_swarm, node_of, start_service, task_hosts

ROLES: dict[str, Role] = {"connewitz": "manager", "tondi": "manager", "lausen": "worker"}


def offer(imker: JobRunner, after: str = "next") -> None:
    """Configure the component of apt's source that the new Engine comes from."""
    path = imker.fleet.folder / "imker.toml"
    text = path.read_text().replace('{ from = "main", to = "experimental" }', '{ from = "experimental", to = "next" }')
    path.write_text(text if after == "next" else text.replace('to = "next"', f'to = "{after}"'))


@pytest.fixture
def swarm(imker: JobRunner) -> JobRunner:
    create_swarm(imker.fleet, ROLES, "experimental")
    offer(imker)
    return imker


def plan_of(events: list[EventBody]) -> FleetPlanned:
    (plan,) = [body for body in events if isinstance(body, FleetPlanned)]
    return plan


def upgrade(imker: JobRunner, name: str) -> list[EventBody]:
    """Upgrade a node, and continue despite its warnings."""
    events = imker.run_job(Upgrade(name, "28.*"))
    return approve(imker, Upgrade(name, "28.*"), events) if isinstance(events[-1], DecisionRequested) else events


def test_the_plan_has_the_nodes_one_by_one_and_the_leader_last_of_the_managers(swarm: JobRunner) -> None:
    events = swarm.run_job(UpgradeAll("28.*"))
    plan = plan_of(events)
    assert [(each.host, each.wave) for each in plan.host_plans] == [("tondi", 0), ("connewitz", 1), ("lausen", 2)]
    assert (plan.parallel, plan.pause_seconds) == (1, 30)
    assert {item.level for each in plan.host_plans for item in each.findings} <= {"warn"}
    assert "engine versions" not in {item.check for each in plan.host_plans for item in each.findings}
    assert isinstance(events[-1], DecisionRequested)
    assert events[-1].question == "start_fleet"


def test_each_node_is_drained_upgraded_and_given_its_former_availability(swarm: JobRunner) -> None:
    start_service(swarm.fleet, "web", 2)
    node_of(swarm.fleet, "tondi").availability = "pause"
    for name in ("tondi", "connewitz", "lausen"):
        events = upgrade(swarm, name)
        assert end_of(events).summary == f"{name} runs Engine 28.5.2.", name
        assert "DrainNode" in [body.key for body in events if isinstance(body, StepDone)], name
        assert wait_for(lambda: len(task_hosts(swarm.fleet, "web")) == 2, 10)
    nodes = {name: node_of(swarm.fleet, name) for name in ROLES}
    assert {name: (node.engine_version, node.availability, node.labels) for name, node in nodes.items()} == {
        "connewitz": ("28.5.2", "active", {}), "tondi": ("28.5.2", "pause", {}), "lausen": ("28.5.2", "active", {}),
    }  # fmt: skip
    end = end_of(swarm.run_job(UpgradeAll("28.*")))
    assert end.summary == "nothing to do: all 3 nodes run the target Engine"


def test_a_node_that_an_operator_drained_stays_drained(swarm: JobRunner) -> None:
    lausen = node_of(swarm.fleet, "lausen")
    lausen.availability, lausen.labels = "drain", {DRAIN_LABEL: "k3fm9x2q U01ALICE"}
    events = upgrade(swarm, "lausen")
    assert "DrainNode" not in [body.key for body in events if isinstance(body, StepDone)]
    assert (lausen.engine_version, lausen.availability) == ("28.5.2", "drain")
    assert lausen.labels == {DRAIN_LABEL: "k3fm9x2q U01ALICE"}


def test_a_downgrade_is_refused(swarm: JobRunner) -> None:
    for name in ROLES:
        upgrade(swarm, name)
    offer(swarm, "experimental")
    for name in ROLES:
        text = swarm.fleet[name].disk.texts["/etc/apt/sources.list.d/docker.list"]
        swarm.fleet[name].disk.write("/etc/apt/sources.list.d/docker.list", text.replace("next", "experimental next"))
    end = end_of(swarm.run_job(UpgradeAll("26.*")))
    assert (end.outcome, end.summary) == ("refused", "blocking findings for tondi, connewitz, lausen")
    assert "would downgrade" in end_of(swarm.run_job(Upgrade("lausen", "26.*"))).summary


def test_a_version_that_apt_does_not_offer_is_refused(swarm: JobRunner) -> None:
    plan = plan_of(swarm.run_job(UpgradeAll("29.*")))
    assert {item.text for each in plan.host_plans for item in each.findings} == {
        f"apt on {name} offers no docker.io 29.*: 28.5.2+dfsg3-1" for name in ROLES
    }


def test_a_node_that_does_not_come_back_is_rolled_back_and_gets_its_work_again(
    swarm: JobRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.execute.restart.ANSWER_TIMEOUT", 1)
    dockerd = swarm.fleet["lausen"].dockerd
    refusal = dockerd.refusal
    monkeypatch.setattr(
        dockerd, "refusal", lambda: "exec format" if dockerd.installed_version().startswith("28") else refusal()
    )
    packages = dict(swarm.fleet["lausen"].packages)
    last = upgrade(swarm, "lausen")[-1]
    assert isinstance(last, JobFinished)
    assert (last.outcome, dockerd.version) == ("rolled_back", "26.1.5")
    assert swarm.fleet["lausen"].packages == packages, "the docker command is back, too"
    assert (node_of(swarm.fleet, "lausen").availability, node_of(swarm.fleet, "lausen").labels) == ("active", {})


def test_a_node_that_is_down_blocks_the_upgrade_and_can_be_removed(swarm: JobRunner) -> None:
    swarm.fleet.reboot("lausen", seconds=3600)
    events = swarm.run_job(UpgradeAll("28.*"))
    assert end_of(events).summary == "blocking findings for lausen"
    (finding,) = [item for each in plan_of(events).host_plans if each.host == "lausen" for item in each.findings]
    assert [each.command.text for each in finding.next_commands][-1] == "remove lausen"


def test_a_host_outside_the_swarm_and_a_node_outside_the_inventory_are_said(swarm: JobRunner) -> None:
    nodes = swarm.fleet.world.swarm.nodes
    del nodes[node_of(swarm.fleet, "lausen").id]
    assert end_of(swarm.run_job(Upgrade("lausen", "28.*"))).summary == "lausen is not a node of the swarm"
    swarm.fleet.world.swarm.add_ghost(swarm.fleet["lausen"])
    node_of(swarm.fleet, "lausen").address = "198.18.0.200"
    (finding,) = plan_of(swarm.run_job(UpgradeAll("28.*"))).findings
    assert (finding.check, "they are not upgraded: lausen" in finding.text) == ("nodes", True)


def test_no_swarm_is_refused(imker: JobRunner) -> None:
    assert end_of(imker.run_job(UpgradeAll("28.*"))).outcome == "refused"
