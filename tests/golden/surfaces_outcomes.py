"""What jobs report when they succeed: the outcome of each step, and of each command. Text per surface."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, get_args

import pytest
from redis import Redis

from jobs import containers, diffs, fleet_plan, gather, outlook, plan, retirement, steps
from jobs.classic import Store
from jobs.contract import (
    Detail,
    Ended,
    Finding,
    FleetPlanned,
    Hosts,
    Leg,
    MigrateAll,
    Nodes,
    Reject,
    StepLine,
    Waiting,
)
from jobs.daemon_options import FileEdit
from jobs.execute import execute, restart
from jobs.execute.site import Site
from jobs.facts import Container
from jobs.inventory import Host
from jobs.steps import describe
from jobs.stores import Idle
from tests.golden.page import page, section
from tests.golden.scripted import KADITZ, NODE, TONDI, Scripted, office
from tests.jobs.test_accepting import BOB, Case
from tests.jobs.test_reads import FakeSwarm
from tests.jobs.test_reads import told as read_told

EDIT = FileEdit("/etc/default/docker", "old", "new")
CONSUL = Container("consul", "consul", True, "always", (), ("8500->8500/tcp",))
STOPPED = replace(CONSUL, running=False, restart="no")


class Ready:
    """An Engine in a swarm, whose every change works."""

    version = {"Version": "26.1.5"}  # noqa: RUF012

    def __init__(self, host: Host, tasks: tuple[str, ...] = ()) -> None:
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
        assert name in ("init", "join", "leave", "remove_node", "change_node", "claim"), name
        return lambda *_: None


def step_outcomes(folder: Path, patch: pytest.MonkeyPatch) -> str:
    """What each step says when it is done, and what it puts into the thread."""
    patch.setattr(gather, "wait_for", lambda true, *_: true())
    patch.setattr(restart, "_start", lambda *_: True)
    patch.setattr("jobs.execute.packages.install", lambda *_: None)
    machine = folder / "config.json"
    machine.write_text("old")
    cases = (*_cases(), (steps.CleanMachine(FileEdit(str(machine), "old", "new")), {}))
    assert {type(step) for step, _ in cases} == set(get_args(steps.Step))
    lines = [line for step, answers in cases for line in _done(step, answers)]
    slow = partial(Ready, tasks=("task-1", "task-2"))
    lines += _done(steps.DrainNode(NODE), {}, slow)
    return page(section("what each step says when it is done", *lines))


def _cases() -> tuple[tuple[steps.Step, dict[str, tuple[int, str]]], ...]:
    old = {"cat -- /etc/default/docker": (0, "old")}
    return (
        (steps.RetireContainers(("swarm-agent", "swarm-agent-master")), {}),
        (steps.StopStore("consul"), {}),
        (steps.RemoveStore("consul"), {}),
        (steps.AddToGroup("geschke"), {}),
        (steps.SwitchSource(EDIT), old),
        (steps.RewriteOptions((EDIT, EDIT)), old),
        (steps.UpgradeEngine(("docker.io=26.1.5", "docker-cli=26.1.5"), "26.1.5"), {}),
        (steps.PutOptionsBack("/etc/default/docker", "DOCKER_OPTS=-D\n"), {}),
        (steps.PutOptionsBack("/x", ""), {}),
        (steps.RestartEngine("26.1.5", ("web",)), {}),
        (steps.StartContainers(("web",)), {"docker ps": (0, "web")}),
        (steps.StartContainers(()), {}),
        (steps.StartContainers(("web", "batch")), {"docker start": (1, "(why)")}),
        (steps.InitSwarm(), {}),
        (steps.JoinSwarm(True), {}),
        (steps.MarkPending(), {}),
        (steps.CheckNode(), {}),
        (steps.Promote(NODE), {}),
        (steps.AwaitReachable(NODE), {}),
        (steps.DrainNode(NODE), {}),
        (steps.Activate(NODE), {}),
        (steps.LeaveSwarm(NODE), {}),
    )


def _done(step: steps.Step, answers: dict[str, tuple[int, str]], connect: Any = Ready) -> list[str]:
    details: list[str] = []

    def note(title: str) -> None:
        details.append(f"    in the thread: {title}")

    site = Site(
        KADITZ,
        Scripted(answers),
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
            patch.setattr(gather, "wait_for", lambda *_: True)
        outcome = execute(step, site)
    return [f"  {describe(step).title}: {outcome}", *details]


# --- commands -------------------------------------------------------------------------------------------------------


def results(redis: Redis) -> str:
    """What a command says at its end, or asks."""
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
    three = (steps.CheckNode(),) * 3
    for made in (plan.Plan(three), plan.Plan(three, waits=True), plan.Plan(three, (block, block))):
        yield f"  {outlook._what_next(made, '/swarm migrate kaditz')}"
    yield from _bodies(diffs.details("kaditz", (EDIT,)))


def _containers() -> Iterator[str]:
    yield f"  {containers.ask(KADITZ, ('web', 'batch'), '(before it)').summary}"
    yield f"  {containers.not_back(KADITZ, ('web', 'batch'))}"


def _stores(redis: Redis) -> Iterator[str]:
    for container in (CONSUL, STOPPED):
        for inside in (True, False):
            idle = Idle(KADITZ, Store(container), inside)
            yield from (f"  {text}" for text in (retirement.ask(idle, "(before it)").summary, retirement.later(idle)))
    for container in (CONSUL, STOPPED):
        made = office(redis, MigrateAll())
        retirement.tell_ports(made, Idle(KADITZ, Store(container), inside=True))
        yield from told(made.journal.told()[-1:])


def told(events: Any) -> Iterator[str]:
    for event in events:
        match event.body:
            case Ended() as ended:
                yield f"  {ended.outcome}: {ended.summary}"
                yield from (f"    {text}" for text in (ended.state, ended.hint) if text)
            case Waiting() as waiting:
                yield f"  asks {waiting.question}: {waiting.summary or waiting.refused or '(no summary)'}"
            case Detail(title, text):
                yield from (f"  in the thread: {title}", *(f"    {line}" for line in text.splitlines()))


def _bodies(bodies: Any) -> Iterator[str]:
    yield from told([type("Event", (), {"body": body}) for body in bodies])


def _members(redis: Redis) -> Iterator[str]:
    for remove in (False, True):
        redis.flushall()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("jobs.execute.membership._leave", lambda *_: "left")
            yield from _bodies(Case(redis).does(Reject("id-kaditz", remove)))
    redis.flushall()
    case = Case(redis)
    case.accept()
    yield from _bodies(case.accept(BOB, shown="other"))
    yield from _bodies(case.accept(BOB))


def _reads(redis: Redis) -> Iterator[str]:
    swarms = {
        "all answer": FakeSwarm(),
        "none answers": FakeSwarm(away={"connewitz", "tondi", "kaditz"}),
        "no swarm": FakeSwarm(members=(), managers=()),
        "no leader": FakeSwarm(leaderless=True),
    }
    for title, swarm in swarms.items():
        for command in (Nodes(), Hosts()):
            redis.flushall()
            yield f"  -- {command.type}, {title}"
            yield from _bodies(read_told(redis, swarm, command))


def _fleets(redis: Redis) -> Iterator[str]:
    block = Finding("disk", "block", "(what blocks)", "(what to do)")
    leg = Leg("kaditz", "worker", 3, 0, "1 manager: none may fail")
    lines: tuple[StepLine, ...] = (fleet_plan.LOOK, fleet_plan.PROBE)
    yield from (f"  step: {line.title}" for line in lines)
    for planned in (
        FleetPlanned((leg,)),
        FleetPlanned((replace(leg, findings=(block,)),)),
        FleetPlanned((leg,), findings=(block,)),
        FleetPlanned((), ("kaditz", "tondi")),
    ):
        redis.flushall()
        made = office(redis, MigrateAll())
        fleet_plan._conclude(made, planned)
        yield from told(made.journal.told())
