"""Show and change services of simulated hosts with the real jobs."""

import time

import pytest

from imker.protocol.commands import Approval
from imker.protocol.events import DecisionRequested, EventBody, Planned, StepProgress
from imker.protocol.service_commands import (
    CreateService,
    ListServices,
    PublishedPort,
    RestartService,
    RollBackService,
    ScaleServices,
    ScaleTarget,
    ShowService,
)
from imker.protocol.service_events import ServiceDetails, ServiceTable
from jobs.execute.polling import wait_for
from lab.simulated.services.orchestrator import Crash
from tests.simulated.conftest import JobRunner
from tests.support.service_jobs import outcome_of, run, show_details, wait_until_healthy
from tests.support.simulated_swarm import add_service, change_service, show_service
from tests.support.swarm_setup import create_swarm, node_of, start_service, task_hosts


def texts_of(events: list[EventBody], level: str) -> list[str]:
    plans = [body for body in events if isinstance(body, Planned)]
    return [finding.text for finding in plans[-1].findings if finding.level == level]


def test_lists_services_with_the_unhealthy_ones_first(swarm: JobRunner) -> None:
    fleet = swarm.fleet
    add_service(fleet, "a_web")
    add_service(fleet, "z_broken", "nosuch:1")
    add_service(fleet, "agent", Mode={"Global": {}})
    wait_until_healthy(swarm, "a_web")
    wait_until_healthy(swarm, "agent")
    (table,) = [body for body in swarm.run_job(ListServices()) if isinstance(body, ServiceTable)]
    assert [(row.name, row.mode, row.running, row.desired) for row in table.rows] == [
        ("z_broken", "replicated", 0, 2), ("a_web", "replicated", 2, 2), ("agent", "global", 3, 3),
    ]  # fmt: skip
    assert "image nosuch:1 was not found" in table.rows[0].problem


def test_explains_why_tasks_do_not_run(swarm: JobRunner) -> None:
    fleet = swarm.fleet
    constraint = {"Placement": {"Constraints": ["node.labels.zone==a"]}}
    add_service(fleet, "zone", task=constraint)
    add_service(fleet, "large", task={"Resources": {"Reservations": {"MemoryBytes": 8 * 2**30}}})
    fleet.world.swarm.services.orchestrator.crashes["redis:3"] = Crash(137)
    add_service(fleet, "crash", "redis:3")
    deadline = time.monotonic() + 30
    while not (reasons := show_details(swarm, "crash").reasons) or "times" not in reasons[0].text:
        assert time.monotonic() < deadline
    assert "the container exits with code 137 (killed, often because it is out of memory)" in reasons[0].text
    assert reasons[0].docker_text == "task: non-zero exit (137)"
    (zone,) = show_details(swarm, "zone").reasons
    assert zone.text == "no node fits: constraint node.labels.zone==a matches 0 of 3 nodes"
    assert zone.docker_text == "no suitable node (scheduling constraints not satisfied on 3 nodes)"
    (large,) = show_details(swarm, "large").reasons
    assert "a task reserves 8 GiB of memory; the most that is free is 4 GiB on" in large.text


def test_creates_a_service_after_its_plan_was_approved(swarm: JobRunner) -> None:
    command = CreateService("web", "nginx:1.11", 3, (PublishedPort(8080, 80, on_host=True),))
    events = run(swarm, command)
    assert outcome_of(events).summary.startswith("web converged in ")
    assert outcome_of(events).summary.endswith(": 3 of 3 running.")
    assert any("of 3 running" in body.text for body in events if isinstance(body, StepProgress))
    assert run(swarm, command)[-1].outcome == "unchanged"
    other = outcome_of(run(swarm, CreateService("web", "redis:3")))
    assert (other.outcome, other.summary) == ("refused", "there is a service web already, with other settings")


def test_refuses_what_cannot_run_before_anything_is_created(swarm: JobRunner) -> None:
    swarm.fleet.world.swarm.services.orchestrator.registry.add("nginx:1.27")
    missing = outcome_of(run(swarm, CreateService("a", "nosuch:1")))
    assert (missing.outcome, "image nosuch:1 was not found" in missing.summary) == ("refused", True)
    nowhere = outcome_of(run(swarm, CreateService("b", "nginx:1.11", constraints=("node.hostname==nowhere",))))
    assert "no node fits b: constraint node.hostname==nowhere matches 0 of 3 nodes" in nowhere.summary
    assert [body.rows for body in swarm.run_job(ListServices()) if isinstance(body, ServiceTable)] == [()]


def test_pins_the_image_that_the_registry_has(swarm: JobRunner) -> None:
    swarm.fleet.world.swarm.services.orchestrator.registry.add("nginx:1.27")
    assert outcome_of(run(swarm, CreateService("web", "nginx:1.27"))).outcome == "done"
    container = show_service(swarm.fleet, "web")["Spec"]["TaskTemplate"]["ContainerSpec"]
    assert container["Image"].startswith("nginx:1.27@sha256:")


def test_scales_several_services(swarm: JobRunner) -> None:
    add_service(swarm.fleet, "shop_web", Labels={"com.docker.stack.namespace": "shop"})
    add_service(swarm.fleet, "api", replicas=1)
    events = run(swarm, ScaleServices((ScaleTarget("web", 4), ScaleTarget("api", 2))))
    assert outcome_of(events).outcome == "done", events
    assert "shop_web converged in" in outcome_of(events).summary
    assert "4 of 4 running; api converged in" in outcome_of(events).summary
    assert texts_of(events, "warn") == ["shop_web belongs to stack shop: its next deploy will undo this change"]
    again = run(swarm, ScaleServices((ScaleTarget("web", 4), ScaleTarget("api", 2))))
    assert outcome_of(again).outcome == "unchanged"


WARNINGS = {
    0: "web stops: no task will run",
    1: "more than half of the tasks of web stop",
    20: "only 5 of 16 further tasks of web fit: 3 of 3 nodes have room: connewitz, lausen, tondi; the limit is the "
    "CPUs that it reserves",
}


@pytest.mark.parametrize("number", WARNINGS)
def test_asks_before_it_scales_far(swarm: JobRunner, number: int) -> None:
    add_service(swarm.fleet, "web", replicas=4, task={"Resources": {"Reservations": {"NanoCPUs": 6 * 10**8}}})
    wait_until_healthy(swarm, "web")
    events = swarm.run_job(ScaleServices((ScaleTarget("web", number),)))
    assert isinstance(question := events[-1], DecisionRequested)
    assert (question.services, texts_of(events, "warn")) == (("web",), [WARNINGS[number]])


def test_refuses_to_scale_a_global_service_and_during_an_update(swarm: JobRunner) -> None:
    add_service(swarm.fleet, "agent", Mode={"Global": {}})
    refused = outcome_of(run(swarm, ScaleServices((ScaleTarget("agent", 2),))))
    assert refused.summary == "agent is global and cannot be scaled: it runs one task on each node"
    add_service(swarm.fleet, "web", UpdateConfig={"Parallelism": 1, "Delay": 60 * 10**9})
    wait_until_healthy(swarm, "web")
    change_service(swarm.fleet, "web", "redis:3")
    assert outcome_of(run(swarm, ScaleServices((ScaleTarget("web", 5),)))).summary == "an update of web is running"


def test_restarts_a_service(swarm: JobRunner) -> None:
    add_service(swarm.fleet, "web")
    wait_until_healthy(swarm, "web")
    events = run(swarm, RestartService("web"))
    assert outcome_of(events).outcome == "done", events
    (plan,) = [body for body in events if isinstance(body, Planned)]
    assert plan.diff == "+ restarts: 1"
    document = show_service(swarm.fleet, "web")
    assert document["Spec"]["TaskTemplate"]["ForceUpdate"] == 1
    assert document["UpdateStatus"]["State"] == "completed"


def test_explains_a_bad_image_and_rolls_it_back(swarm: JobRunner) -> None:
    secret = {"Env": ["PASSWORD=hunter2", "MODE=a"], "Image": "nginx:1.11"}
    add_service(swarm.fleet, "web", task={"ContainerSpec": secret})
    wait_until_healthy(swarm, "web")
    change_service(swarm.fleet, "web", "nosuch:2")
    deadline = time.monotonic() + 30
    while show_details(swarm, "web").service.status != "paused":
        assert time.monotonic() < deadline
    assert "image nosuch:2 was not found" in show_details(swarm, "web").reasons[0].text
    question = swarm.run_job(RollBackService("web"))
    (plan,) = [body for body in question if isinstance(body, Planned)]
    assert plan.diff == "- image: nosuch:2\n+ image: nginx:1.11"
    assert "hunter2" not in str(question)
    events = run(swarm, RollBackService("web"))
    assert outcome_of(events).outcome == "done", events
    assert show_service(swarm.fleet, "web")["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"] == "nginx:1.11"
    assert show_details(swarm, "web").service.status == "healthy"


def test_says_that_the_previous_settings_fail_too(swarm: JobRunner) -> None:
    add_service(swarm.fleet, "web", "nosuch:1")
    change_service(swarm.fleet, "web", "nosuch:2")
    events = run(swarm, RollBackService("web"))
    assert outcome_of(events).outcome == "failed"
    assert outcome_of(events).summary.startswith("the previous settings fail too: web: 0 of 2 running: image nosuch:1")
    assert any(isinstance(body, ServiceDetails) and body.reasons for body in events)


def test_has_no_previous_settings_to_return_to(swarm: JobRunner) -> None:
    add_service(swarm.fleet, "web")
    assert outcome_of(run(swarm, RollBackService("web"))).summary == "web has no previous settings to return to"


def test_overwrites_no_change_that_came_after_the_plan(swarm: JobRunner) -> None:
    add_service(swarm.fleet, "web", replicas=4)
    wait_until_healthy(swarm, "web")
    command = ScaleServices((ScaleTarget("web", 1),))
    question = swarm.run_job(command)[-1]
    change_service(swarm.fleet, "web", "redis:3")
    wait_until_healthy(swarm, "web")
    again = swarm.run_job(command, Approval("U01ALICE", question.fingerprint, time.time()))[-1]
    assert isinstance(again, DecisionRequested)
    assert again.summary.startswith("The services changed")


def test_finds_services_by_what_was_typed(swarm: JobRunner) -> None:
    for stack in ("shop", "blog"):
        add_service(swarm.fleet, f"{stack}_web", Labels={"com.docker.stack.namespace": stack})
    twice = outcome_of(swarm.run_job(ShowService("web")))
    assert (twice.outcome, twice.summary) == ("failed", "web is the name of 2 services: shop_web, blog_web")
    assert show_details(swarm, "shop_web").service.stack == "shop"
    assert outcome_of(swarm.run_job(ShowService("shop_wep"))).hint == "Did you mean shop_web?"


def test_drains_move_tasks(swarm: JobRunner) -> None:
    add_service(swarm.fleet, "web", replicas=3)
    wait_until_healthy(swarm, "web")
    swarm.fleet.world.swarm.drain(swarm.fleet["tondi"])
    wait_until_healthy(swarm, "web")
    current = [row for row in show_details(swarm, "web").tasks if row.is_current]
    assert {row.node for row in current} == {"connewitz", "lausen"}
    assert len(current) == 3


def test_tasks_of_a_host_without_power_are_replaced_and_end_when_it_is_back(imker: JobRunner) -> None:
    """A drain of the host then has nothing to wait for."""
    fleet = imker.fleet
    create_swarm(fleet, {"connewitz": "manager", "lausen": "worker", "tondi": "worker"})
    start_service(fleet, "web", 3)
    node = node_of(fleet, "tondi").id

    def states() -> list[str]:
        tasks = fleet.world.swarm.services.orchestrator.tasks
        return [task.state for task in tasks.values() if task.node == node]

    fleet["tondi"].power_off()
    assert wait_for(lambda: len(task_hosts(fleet, "web")) == 3, 10)
    assert (task_hosts(fleet, "web").count("tondi"), states()) == (0, ["running"])
    fleet["tondi"].power_on()
    assert (len(task_hosts(fleet, "web")), states()) == (3, ["shutdown"])
