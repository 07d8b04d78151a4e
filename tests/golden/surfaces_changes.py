"""How commands that change a host or the swarm end, over scripted shells and Engines. Text per surface."""

import json
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from redis import Redis

from bot import holds
from jobs import changes, containers, doctor, gather, outlook, plan, remote, retirement, ssh, stepping, steps
from jobs.classic import Store
from jobs.contract import Approval, Finding, Hold, RetireStore, StartContainers
from jobs.contract import Migrate as Move
from jobs.execute import restart
from jobs.facts import HostFacts, Node, SwarmFacts, SwarmPlace
from jobs.fence import Fenced
from jobs.lock import Lease, Mark
from jobs.office import Office
from jobs.outlook import Outlook
from jobs.preflight import candidates
from jobs.settings import EngineSection
from tests import streams
from tests.golden.page import page, section
from tests.golden.scripted import AT, KADITZ, NODE, Scripted, office, raised
from tests.golden.surfaces_outcomes import CONSUL, STOPPED, Ready, told

WEB = {"Name": "/web", "Config": {"Image": "nginx"}, "State": {"Running": True}}
RUNS = {"docker ps -aq": (0, "1"), "docker ps": (0, "web"), "docker inspect": (0, json.dumps([WEB]))}
DOWN = {**RUNS, "docker ps --format": (0, ""), "docker inspect": (0, json.dumps([{**WEB, "State": {}}]))}
SWARM = SwarmFacts("tondi", (), ("tondi",))
FACTS = HostFacts("kaditz", engine="20.10.24")
WARN, BLOCK = Finding("disk", "warn", "(a warning)"), Finding("disk", "block", "(what blocks)", "(what to do)")
CHECK = (steps.CheckNode(),)
PENDING = Node(NODE, "kaditz", "198.18.0.39", "worker", "active", "ready", "", "26.1.5", True)


def changed(redis: Redis, patch: pytest.MonkeyPatch) -> str:
    """The last words of migrate, start and retire, and what is said when a step may not go on."""
    patch.setattr(gather, "wait_for", lambda true, *_: true())
    pages = {
        "migrate": _migrations(redis, patch), "start": _starts(redis), "retire": _retirements(redis, patch),
        "doctor": _doctor(redis), "a step that may not go on": _stopped(redis, patch), "other errors": _others(redis),
    }  # fmt: skip
    return page(*(section(title, *lines) for title, lines in pages.items()))


def _office(redis: Redis, command: Any, answers: dict[str, tuple[int, str]], *approvals: Approval) -> Office:
    redis.flushall()
    made = office(redis, command)
    shell: Any = lambda _: nullcontext(Scripted(answers))  # noqa: E731
    request = replace(made.request, approvals=approvals)
    return replace(made, request=request, shell=shell, connect=Ready)  # type: ignore[arg-type]


def _shown(title: str, made: Office, act: Any) -> Iterator[str]:
    yield f"  -- {title}"
    yield from (line for line in raised("error", act) if line != "  error: None")
    yield from told(event for event in made.journal.told())


# --- migrate --------------------------------------------------------------------------------------------------------


def _migrations(redis: Redis, patch: pytest.MonkeyPatch) -> Iterator[str]:
    manager = SwarmPlace("active", NODE)
    cases: dict[str, Outlook] = {
        "refused": Outlook(plan.Refusal("(why)", "(what to do)"), FACTS, SWARM),
        "refused by a check": Outlook(plan.Refusal("(why)", "(what to do)", "candidate version"), FACTS, SWARM),
        "blocked": Outlook(plan.Plan(CHECK, (BLOCK,)), FACTS, SWARM),
        "warned": Outlook(plan.Plan(CHECK, (WARN,)), FACTS, SWARM),
        "nothing to do": Outlook(plan.Plan(()), replace(FACTS, place=manager), SWARM),
        "done": Outlook(plan.Plan(CHECK), FACTS, SWARM),
        "a manager whose node is not seen": Outlook(plan.Plan(CHECK, waits=True), FACTS, SWARM),
    }
    for title, seen in cases.items():
        made = _office(redis, Move("kaditz"), RUNS)
        patch.setattr(changes, "plan_of", lambda *_, seen=seen: seen)
        yield from _shown(title, made, partial(changes.migrate, made, "kaditz", None, False))
    yield from _held(redis, patch)
    yield from _rolled_back(redis, patch)


def _held(redis: Redis, patch: pytest.MonkeyPatch) -> Iterator[str]:
    patch.setattr(changes, "plan_of", lambda *_: Outlook(plan.Plan((*CHECK, steps.MarkPending())), FACTS, SWARM))
    for what in ("pause", "cancel"):
        for run in ("k3fm9x2q", "f7wq2p8a"):
            made = _office(redis, Move("kaditz"), RUNS)
            made = replace(made, request=replace(made.request, part_of="f7wq2p8a"))
            holds.keep(redis, streams.KEY, run, Hold(what, "U02BOB", AT))  # type: ignore[arg-type]
            title = f"{what} of {'the fleet' if run == 'f7wq2p8a' else 'the run'}"
            yield from _shown(title, made, partial(changes.migrate, made, "kaditz", None, False))


def _rolled_back(redis: Redis, patch: pytest.MonkeyPatch) -> Iterator[str]:
    made = _office(redis, Move("kaditz"), RUNS)
    restored = restart.Restored("(why)", state="(the old state)")
    changes._work_again(made, KADITZ, SWARM, plan.Plan((steps.Activate(NODE),)), restored)
    yield f"  -- rolled back, and active again: {restored.state}"
    patch.setattr(changes, "change_membership", partial(_raising, "(why not)"))
    changes._work_again(made, KADITZ, SWARM, plan.Plan((steps.Activate(NODE),)), restored)
    yield f"  -- rolled back, and not active again: {restored.state}"


def _raising(text: str, *_: object) -> None:
    raise changes.JobError(text)


# --- start, retire, doctor ------------------------------------------------------------------------------------------


def _starts(redis: Redis) -> Iterator[str]:
    cases = {"an unknown container": ("batch", RUNS), "it runs": ("web", RUNS), "it does not": ("web", DOWN)}
    for title, (name, answers) in cases.items():
        made = _office(redis, StartContainers("kaditz", (name,)), answers)
        yield from _shown(title, made, partial(containers.start, made, "kaditz", (name,)))


def _retirements(redis: Redis, patch: pytest.MonkeyPatch) -> Iterator[str]:
    yes = Approval("U02BOB", plan.fingerprint("consul"), AT)
    cases: dict[str, tuple[Store | None, tuple[Approval, ...]]] = {
        "no store": (None, ()), "a store in use": (Store(CONSUL, ("tondi", "lausen")), ()),
        "stopped": (Store(CONSUL), ()), "removed": (Store(STOPPED), (yes,)),
    }  # fmt: skip
    for title, (store, approvals) in cases.items():
        made = _office(redis, RetireStore("kaditz"), RUNS, *approvals)
        patch.setattr("jobs.stores.find", lambda *_, store=store: store)
        yield from _shown(title, made, partial(retirement.retire_store, made, "kaditz"))


def _doctor(redis: Redis) -> Iterator[str]:
    made = _office(redis, Move("kaditz"), {})
    yield from _shown("its end", made, partial(_count, made))


def _count(made: Office) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(doctor, "examine", lambda *_: (WARN, BLOCK, Finding("clock", "pass", "")))
        doctor.show(made)


# --- steps that may not go on, and other errors ---------------------------------------------------------------------


def _stopped(redis: Redis, patch: pytest.MonkeyPatch) -> Iterator[str]:
    made = _office(redis, Move("kaditz"), {})
    lease = Lease(Mark(3, "k3fm9x2q", AT), lambda _: 0)
    lease.lost.set()
    site = stepping._site(made, KADITZ, Scripted({}), ())
    yield from raised("a lost lock", lambda: stepping._do(made, steps.CheckNode(), site, lease, lambda: None))
    patch.setattr(stepping, "gather_swarm", lambda *_: SwarmFacts("tondi", (PENDING,)))
    yield from raised("a swarm that somebody else started", lambda: stepping._check_none(made, KADITZ))
    fenced = Fenced(Scripted({}), Mark(3, "k3fm9x2q", AT))
    other = Mark(4, "latr2222", AT)
    yield f"  another run's command: {fenced._refused(remote.BUSY, other, 60).summary}"
    yield f"    hint:    {fenced._refused(remote.BUSY, other, 60).hint}"
    yield f"  a later run: {fenced._refused(remote.LATER, other, 60).summary}"


def _others(redis: Redis) -> Iterator[str]:
    made = _office(redis, Move("kaditz"), {})
    lost = ssh.SshShell._lost(SimpleNamespace(host="kaditz"), ("apt-get", "update"), "(why)")  # type: ignore[arg-type]
    yield f"  a lost connection: {lost.summary}"
    elsewhere = replace(PENDING, address="198.18.0.99")
    yield from raised("a node of no host", lambda: changes._host_of(made, SwarmFacts("tondi", (elsewhere,)), elsewhere))
    answers = {"dpkg-query": (0, "ii |docker.io|20.10.24\n"), "sh -c": (100, "E: (why)")}
    yield from raised(
        "apt that cannot be asked", lambda: candidates.package(Scripted(answers), "deb x", EngineSection())
    )
    seen = Outlook(plan.Plan(()), replace(FACTS, place=SwarmPlace("active", NODE)), SwarmFacts("tondi", (PENDING,)))
    yield f"  a plan of a pending manager: nothing to do on kaditz{outlook._waits(KADITZ, seen)}"
