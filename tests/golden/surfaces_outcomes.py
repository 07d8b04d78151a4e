"""Format the results of successful jobs: of each step and of each command."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, get_args

import pytest
from redis import Redis

from bot.messages.next_command import next_step_text
from imker.protocol.commands import ListHosts, ListNodes, MigrateAll, PlanHost, Reject
from imker.protocol.events import DecisionRequested, FleetPlanned, JobFinished, ThreadDetail
from imker.protocol.values import Finding, HostPlan, StepLine
from jobs import steps
from jobs.daemon_options import FileEdit
from jobs.execute import execute_step, polling, restart
from jobs.execute.target import StepTarget
from jobs.facts.classic_swarm import KeyValueStore
from jobs.facts.containers import Container
from jobs.gather.key_value_stores import UnusedStore
from jobs.handlers import containers, fleet, key_value_store, plan_events
from jobs.handlers.plan import _describe_plan
from jobs.inventory.model import Host
from jobs.plan import Plan
from jobs.steps.titles import describe_step
from tests.golden.scripted_host import KADITZ, NODE, TONDI, ScriptedShell, office
from tests.golden.text_layout import page, section
from tests.unit.jobs.handlers.test_accept import BOB, Case
from tests.unit.jobs.handlers.test_nodes import FakeSwarm
from tests.unit.jobs.handlers.test_nodes import run_read as read_told

EDIT = FileEdit("/etc/default/docker", "old", "new")
CONSUL = Container("consul", "consul", True, "always", (), ("8500->8500/tcp",))
STOPPED = replace(CONSUL, running=False, restart_policy="no")


class Ready:
    """An Engine in a swarm whose every change succeeds."""

    version = {"Version": "26.1.5"}  # noqa: RUF012

    def __init__(self, host: Host, tasks: tuple[str, ...] = (), timeout: float = 10) -> None:
        self.host, self._tasks = host, tasks

    def info(self) -> dict[str, Any]:
        return {"Swarm": {"LocalNodeState": "active", "NodeID": NODE}}

    def nodes(self) -> list[dict[str, Any]]:
        return [
            {
                "ID": NODE,
                "Status": {"State": "ready", "Addr": KADITZ.address},
                "ManagerStatus": {"Reachability": "reachable"},
            }
        ]

    def tasks(self, _: str) -> list[dict[str, Any]]:
        return [{"ID": task, "Status": {"State": "running"}} for task in self._tasks]

    def worker_token(self) -> str:
        return "(secret)"

    def __getattr__(self, name: str) -> Any:
        assert name in ("init", "join", "leave", "remove_node", "change_node", "claim_token"), name
        return lambda *_: None


class Worker(Ready):
    """An Engine of a swarm without that manager."""

    def nodes(self) -> list[dict[str, Any]]:
        return [{"ID": NODE, "Spec": {"Role": "worker"}, "Status": {"State": "ready", "Addr": KADITZ.address}}]


def step_outcomes(folder: Path, patch: pytest.MonkeyPatch) -> str:
    """Return the result text of each step and its thread replies."""
    patch.setattr(polling, "wait_for", lambda true, *_: true())
    patch.setattr(restart, "_answers", lambda *_: True)
    patch.setattr("jobs.execute.packages.install_packages", lambda *_: "")
    machine = folder / "config.json"
    machine.write_text("old")
    cases = (*_cases(), (steps.CleanDockerMachineConfig(FileEdit(str(machine), "old", "new")), {}))
    assert {type(step) for step, _ in cases} == set(get_args(steps.HostStep)) - {steps.DemoteNode}
    lines = [line for step, answers in cases for line in _run_step(step, answers)]
    slow = partial(Ready, tasks=("task-1", "task-2"))
    lines += _run_step(steps.DrainNode(NODE), {}, slow)
    lines += _run_step(steps.DemoteNode(NODE), {}, Worker)
    return page(section("what each step says when it is done", *lines))


def _cases() -> tuple[tuple[steps.Step, dict[str, tuple[int, str]]], ...]:
    old = {"cat -- /etc/default/docker": (0, "old")}
    return (
        (steps.RemoveClassicContainers(("swarm-agent", "swarm-agent-master")), {}),
        (steps.StopStore("consul"), {}),
        (steps.RemoveStore("consul"), {}),
        (steps.AddToGroup("geschke"), {}),
        (steps.SwitchAptSource(EDIT), old),
        (steps.RewriteOptions((EDIT, EDIT)), old),
        (steps.UpgradeEngine(("docker.io=26.1.5", "docker-cli=26.1.5"), "26.1.5"), {}),
        (steps.RestoreOptions("/etc/default/docker", "DOCKER_OPTS=-D\n"), {}),
        (steps.RestoreOptions("/x", ""), {}),
        (steps.RestartEngine("26.1.5", ("web",)), {}),
        (steps.EnsureContainersRunning(("web",)), {"# imker: start the containers": (0, "web")}),
        (steps.EnsureContainersRunning(()), {}),
        (steps.EnsureContainersRunning(("web", "batch")), {"docker start": (1, "(why)")}),
        (steps.InitSwarm(), {}),
        (steps.JoinSwarm(True), {}),
        (steps.MarkPending(), {}),
        (steps.WaitForReady(), {}),
        (steps.PromoteNode(NODE), {}),
        (steps.WaitForReachable(NODE), {}),
        (steps.DrainNode(NODE), {}),
        (steps.ActivateNode(NODE), {}),
        (steps.UnmarkPending(NODE), {}),
        (steps.SetAvailability(NODE, "drain", "k3fm9x2q", "U01ALICE"), {}),
        (steps.SetAvailability(NODE, "active"), {}),
        (steps.WaitForTasks(NODE), {}),
        (steps.LeaveOnHost(NODE), {}),
        (steps.LeaveOnHost(NODE), {"docker swarm leave": (1, "(why)")}),
        (steps.LeaveSwarm(NODE), {}),
    )


def _run_step(step: steps.Step, answers: dict[str, tuple[int, str]], connect: Any = Ready) -> list[str]:
    details: list[str] = []

    def note(title: str) -> None:
        details.append(f"    in the thread: {title}")

    site = StepTarget(
        KADITZ,
        ScriptedShell(answers),
        {"kaditz": KADITZ, "tondi": TONDI},
        connect,
        lambda _: None,
        lambda title, _: note(title),
        lambda *_: None,
        "10.0.0.0/8",
        ("tondi",),
    )
    with pytest.MonkeyPatch.context() as patch:
        if isinstance(step, steps.LeaveSwarm):
            patch.setattr(polling, "wait_for", lambda *_: True)
        outcome = execute_step(step, site)
    return [f"  {describe_step(step).title}: {outcome}", *details]


# --- commands -------------------------------------------------------------------------------------------------------


def results(redis: Redis) -> str:
    """Return the final result or question of each command."""
    pages = {
        "a plan": _plans(),
        "containers that do not run": _containers(),
        "an unused key-value store": _stores(redis),
        "accept and reject": _members(redis),
        "nodes and hosts": _reads(redis),
        "a fleet's plan": _fleets(redis),
    }
    return page(*(section(title, *lines) for title, lines in pages.items()))


def _plans() -> Iterator[str]:
    block = Finding("disk", "block", "(what blocks)")
    three = (steps.WaitForReady(),) * 3
    for candidate in (Plan(three), Plan(three, needs_acceptance=True), Plan(three, (block, block))):
        ended = _describe_plan(candidate, PlanHost("kaditz"))
        yield f"  {next_step_text(ended.summary, ended.next_commands)}"
    yield from _bodies(plan_events.diff_details("kaditz", (EDIT,)))


def _containers() -> Iterator[str]:
    yield f"  {containers.start_question(KADITZ, ('web', 'batch'), '(before it)').summary}"
    down = ("web", "batch")
    yield f"  {next_step_text(containers.not_running_text(down), containers.start_commands(KADITZ, down))}"


def _stores(redis: Redis) -> Iterator[str]:
    for container in (CONSUL, STOPPED):
        for inside in (True, False):
            idle = UnusedStore(KADITZ, KeyValueStore(container), inside)
            yield from (
                f"  {text}"
                for text in (
                    key_value_store.removal_question(idle, "(before it)").summary,
                    next_step_text(key_value_store.removal_hint(idle), key_value_store.removal_commands(idle)),
                )
            )
    for container in (CONSUL, STOPPED):
        context = office(redis, MigrateAll())
        key_value_store.report_ports(context, UnusedStore(KADITZ, KeyValueStore(container), in_swarm=True))
        yield from event_lines(context.events.event_log().events[-1:])


def event_lines(events: Any) -> Iterator[str]:
    for event in events:
        match event.body:
            case JobFinished() as ended:
                yield f"  {ended.outcome}: {ended.summary}"
                yield from (
                    f"    {text}" for text in (ended.state, next_step_text(ended.hint, ended.next_commands)) if text
                )
            case DecisionRequested() as waiting:
                text = next_step_text(waiting.summary, waiting.next_commands)
                yield f"  asks {waiting.question}: {text or waiting.approval_problem or '(no summary)'}"
            case ThreadDetail(title, text):
                yield from (f"  in the thread: {title}", *(f"    {line}" for line in text.splitlines()))


def _bodies(bodies: Any) -> Iterator[str]:
    yield from event_lines([type("Event", (), {"body": body}) for body in bodies])


def _members(redis: Redis) -> Iterator[str]:
    for remove in (False, True):
        redis.flushall()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("jobs.execute.membership._remove_node", lambda *_: "left")
            yield from _bodies(Case(redis).run_job(Reject("id-kaditz", remove)))
    redis.flushall()
    case = Case(redis)
    case.accept()
    yield from _bodies(case.accept(BOB, fingerprint="other"))
    yield from _bodies(case.accept(BOB))


def _reads(redis: Redis) -> Iterator[str]:
    swarms = {
        "all answer": FakeSwarm(),
        "none answers": FakeSwarm(unreachable={"connewitz", "tondi", "kaditz"}),
        "no swarm": FakeSwarm(members=(), managers=()),
        "no leader": FakeSwarm(leaderless=True),
    }
    for title, swarm in swarms.items():
        for command in (ListNodes(), ListHosts()):
            redis.flushall()
            yield f"  -- {command.type}, {title}"
            yield from _bodies(read_told(redis, swarm, command))


def _fleets(redis: Redis) -> Iterator[str]:
    block = Finding("disk", "block", "(what blocks)", "(what to do)")
    leg = HostPlan("kaditz", "worker", 3, 0, "1 manager (survives no loss)")
    lines: tuple[StepLine, ...] = (fleet.GATHER_STEP, fleet.PROBE_STEP)
    yield from (f"  step: {line.title}" for line in lines)
    for plan in (
        FleetPlanned((leg,)),
        FleetPlanned((replace(leg, findings=(block,)),)),
        FleetPlanned((leg,), findings=(block,)),
        FleetPlanned((), ("kaditz", "tondi")),
    ):
        redis.flushall()
        context = office(redis, MigrateAll())
        fleet._finish(context, plan)
        yield from event_lines(context.events.event_log().events)
