"""Format the outcomes of commands that change a host or the swarm, on scripted shells and Engines."""

import json
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from redis import Redis

from bot.messages.next_command import next_step_text
from bot.runs import holds
from imker.protocol.commands import Approval, Hold, RetireStore, RunDoctor, StartContainers
from imker.protocol.commands import Migrate as Move
from imker.protocol.events import FleetPlanned
from imker.protocol.values import Finding, HostPlan
from jobs import errors, steps
from jobs.connectors import fenced_shell, ssh
from jobs.connectors.fenced_shell import FencedShell
from jobs.connectors.shell import command
from jobs.context import JobContext
from jobs.execute import exclusive, polling, rollback, runner
from jobs.facts.classic_swarm import KeyValueStore
from jobs.facts.host import HostFacts
from jobs.facts.swarm import Node, SwarmFacts, SwarmMembership
from jobs.gather import packages
from jobs.gather.host import CONTAINERS_SCRIPT
from jobs.handlers import accept, containers, doctor, key_value_store, migrate
from jobs.handlers.assessment import Assessment
from jobs.handlers.plan import _nothing_to_do
from jobs.locking.fencing_token import FencingToken
from jobs.locking.lease import Lease
from jobs.plan import Plan, Refusal, compute_fingerprint
from jobs.plan.fleet import find_deviation
from jobs.settings import EngineSection
from tests.golden.scripted_host import AT, KADITZ, NODE, ScriptedShell, error_text, office
from tests.golden.surfaces_outcomes import CONSUL, STOPPED, Ready, event_lines
from tests.golden.text_layout import page, section
from tests.support import streams
from tests.support.sections import empty_host

WEB = {"Name": "/web", "Config": {"Image": "nginx"}, "State": {"Running": True}}
START = "# imker: start the containers"
RUNS = {START: (0, "web"), f"sh -c {CONTAINERS_SCRIPT}": (0, json.dumps([WEB]))}
DOWN = {**RUNS, START: (0, ""), f"sh -c {CONTAINERS_SCRIPT}": (0, json.dumps([{**WEB, "State": {}}]))}
SWARM = SwarmFacts("tondi", (), ("tondi",))
FACTS = HostFacts("kaditz", engine_version="20.10.24")
WARN, BLOCK = Finding("disk", "warn", "(a warning)"), Finding("disk", "block", "(what blocks)", "(what to do)")
CHECK = (steps.WaitForReady(),)
PENDING = Node(NODE, "kaditz", "198.18.0.39", "worker", "active", "ready", "", "26.1.5", True)


def changed(redis: Redis, patch: pytest.MonkeyPatch) -> str:
    """Return the outcomes of migrate, start, and retire, and of steps that may not continue."""
    patch.setattr(polling, "wait_for", lambda true, *_: true())
    pages = {
        "migrate": _migrations(redis, patch), "start": _starts(redis), "retire": _retirements(redis, patch),
        "doctor": _doctor(redis), "a step that may not go on": _stopped(redis, patch), "other errors": _others(redis),
    }  # fmt: skip
    return page(*(section(title, *lines) for title, lines in pages.items()))


def _office(redis: Redis, command: Any, answers: dict[str, tuple[int, str]], *approvals: Approval) -> JobContext:
    redis.flushall()
    context = office(redis, command)
    shell: Any = lambda _: nullcontext(ScriptedShell(answers))  # noqa: E731
    request = replace(context.request, approvals=approvals)
    return replace(context, request=request, open_shell=shell, engine_factory=Ready)  # type: ignore[arg-type]


def _event_lines(title: str, context: JobContext, act: Any) -> Iterator[str]:
    yield f"  -- {title}"
    yield from (line for line in error_text("error", act) if line != "  error: None")
    yield from event_lines(event for event in context.events.event_log().events)


# --- migrate --------------------------------------------------------------------------------------------------------


def _migrations(redis: Redis, patch: pytest.MonkeyPatch) -> Iterator[str]:
    manager = SwarmMembership("active", NODE)
    cases: dict[str, Assessment] = {
        "refused": Assessment(Refusal("(why)", "(what to do)"), FACTS, SWARM),
        "refused by a check": Assessment(Refusal("(why)", "(what to do)", "candidate version"), FACTS, SWARM),
        "blocked": Assessment(Plan(CHECK, (BLOCK,)), FACTS, SWARM),
        "warned": Assessment(Plan(CHECK, (WARN,)), FACTS, SWARM),
        "nothing to do": Assessment(Plan(()), replace(FACTS, membership=manager), SWARM),
        "done": Assessment(Plan(CHECK), FACTS, SWARM),
        "a manager whose node is not seen": Assessment(Plan(CHECK, needs_acceptance=True), FACTS, SWARM),
    }
    for title, message in cases.items():
        context = _office(redis, Move("kaditz"), RUNS)
        patch.setattr(migrate, "assess_host", lambda *_, message=message: message)
        yield from _event_lines(title, context, partial(migrate.migrate_host, Move("kaditz"), context))
    yield from _paused_runs(redis, patch)
    yield from _rolled_back(redis, patch)


def _paused_runs(redis: Redis, patch: pytest.MonkeyPatch) -> Iterator[str]:
    patch.setattr(migrate, "assess_host", lambda *_: Assessment(Plan((*CHECK, steps.MarkPending())), FACTS, SWARM))
    for what in ("pause", "cancel"):
        for run in ("k3fm9x2q", "f7wq2p8a"):
            context = _office(redis, Move("kaditz"), RUNS)
            context = replace(context, request=replace(context.request, parent_run="f7wq2p8a"))
            holds.add(redis, streams.KEY, run, Hold(what, "U02BOB", AT))  # type: ignore[arg-type]
            title = f"{what} of {'the fleet' if run == 'f7wq2p8a' else 'the run'}"
            yield from _event_lines(title, context, partial(migrate.migrate_host, Move("kaditz"), context))


def _rolled_back(redis: Redis, patch: pytest.MonkeyPatch) -> Iterator[str]:
    context = _office(redis, Move("kaditz"), RUNS)
    restored = rollback.RolledBack("(why)", state="(the old state)")
    migrate._reactivate(context, KADITZ, SWARM, Plan((steps.ActivateNode(NODE),)), restored)
    yield f"  -- rolled back, and active again: {restored.state}"
    patch.setattr(migrate, "run_swarm_steps", partial(_raising, "(why not)"))
    migrate._reactivate(context, KADITZ, SWARM, Plan((steps.ActivateNode(NODE),)), restored)
    yield f"  -- rolled back, and not active again: {restored.state}"


def _raising(text: str, *_: object) -> None:
    raise errors.JobError(text)


# --- start, retire, doctor ------------------------------------------------------------------------------------------


def _starts(redis: Redis) -> Iterator[str]:
    cases = {"an unknown container": ("batch", RUNS), "it runs": ("web", RUNS), "it does not": ("web", DOWN)}
    for title, (name, answers) in cases.items():
        command = StartContainers("kaditz", (name,))
        context = _office(redis, command, answers)
        yield from _event_lines(title, context, partial(containers.start_containers, command, context))


def _retirements(redis: Redis, patch: pytest.MonkeyPatch) -> Iterator[str]:
    yes = Approval("U02BOB", compute_fingerprint("consul"), AT)
    cases: dict[str, tuple[KeyValueStore | None, tuple[Approval, ...]]] = {
        "no store": (None, ()), "a store in use": (KeyValueStore(CONSUL, ("tondi", "lausen")), ()),
        "stopped": (KeyValueStore(CONSUL), ()), "removed": (KeyValueStore(STOPPED), (yes,)),
    }  # fmt: skip
    for title, (store, approvals) in cases.items():
        context = _office(redis, RetireStore("kaditz"), RUNS, *approvals)
        patch.setattr("jobs.gather.key_value_stores.find_store", lambda *_, store=store: store)
        yield from _event_lines(title, context, partial(key_value_store.retire_store, RetireStore("kaditz"), context))


def _doctor(redis: Redis) -> Iterator[str]:
    context = _office(redis, Move("kaditz"), {})
    yield from _event_lines("its end", context, partial(_count, context))


def _count(context: JobContext) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(doctor, "run_checks", lambda *_: (WARN, BLOCK, Finding("clock", "pass", "")))
        doctor.show_doctor(RunDoctor(), context)


# --- steps that may not go on, and other errors ---------------------------------------------------------------------


def _stopped(redis: Redis, patch: pytest.MonkeyPatch) -> Iterator[str]:
    context = _office(redis, Move("kaditz"), {})
    lease = Lease(FencingToken(3, "k3fm9x2q", AT), lambda _: 0)
    lease.lost.set()
    site = runner._make_target(context, KADITZ, ScriptedShell({}), ())
    yield from error_text(
        "a lost lock", lambda: runner._run_step(context, steps.WaitForReady(), site, lease, lambda step: None)
    )
    patch.setattr(exclusive, "gather_known_swarm", lambda *_: SwarmFacts("tondi", (PENDING,)))
    init = steps.InitSwarm()
    yield from error_text(
        "a swarm that was initialized meanwhile", lambda: exclusive._check_no_swarm(context, KADITZ, init)
    )
    down = replace(PENDING, role="manager", manager_status="unreachable")
    patch.setattr(exclusive, "gather_settled_swarm", lambda *_: SwarmFacts("tondi", (down,)))
    restart = steps.RestartEngine("26.1.5", (), NODE)
    yield from error_text("a manager that may not restart", lambda: exclusive._restart_manager(context, restart, site))
    member, first = Plan((restart,)), Plan((init,))
    host_plans = (HostPlan("tondi", "manager", 1, 0, ""), HostPlan("kaditz", "manager", 1, 1, "", joins=True))
    for host, plan in (("kaditz", member), ("kaditz", first), ("lausen", member)):
        deviation = find_deviation(FleetPlanned(host_plans), host, plan)
        assert deviation
        yield f"  not as the fleet's plan: {deviation.summary}. {deviation.hint}"
    fenced = FencedShell(ScriptedShell({}), FencingToken(3, "k3fm9x2q", AT))
    other = FencingToken(4, "latr2222", AT)
    yield f"  another run's command: {fenced._refusal_error(fenced_shell.BUSY_EXIT, other, 60).summary}"
    yield f"    hint:    {fenced._refusal_error(fenced_shell.BUSY_EXIT, other, 60).hint}"
    yield f"  a later run: {fenced._refusal_error(fenced_shell.SUPERSEDED_EXIT, other, 60).summary}"


def _others(redis: Redis) -> Iterator[str]:
    context = _office(redis, Move("kaditz"), {})
    lost = ssh.SshShell._lost_error(SimpleNamespace(host="kaditz"), command("apt-get", "update"), "(why)")  # type: ignore[arg-type]
    yield f"  a lost connection: {lost.summary}"
    elsewhere = replace(PENDING, address="198.18.0.99")
    yield from error_text(
        "a node of no host", lambda: accept._host_behind(context, SwarmFacts("tondi", (elsewhere,)), elsewhere)
    )
    sections = empty_host(packages="ii |docker.io|20.10.24\n", apt_list="deb x")
    shell = ScriptedShell({"sh -c": (100, "E: (why)")})
    yield from error_text("apt that cannot be asked", lambda: packages.gather_package(shell, sections, EngineSection()))
    message = Assessment(
        Plan(()), replace(FACTS, membership=SwarmMembership("active", NODE)), SwarmFacts("tondi", (PENDING,))
    )
    ended = _nothing_to_do(KADITZ, message)
    yield f"  a plan of a pending manager: {ended.summary}"
    yield f"    {next_step_text(ended.hint, ended.next_commands)}"
