"""Killed at every boundary of its plan, a job's host ends as if nothing had been, once it is asked for again.

The boundaries are the plan's own, as the run told it: before its first step, between each two, before its last word.
"""

import multiprocessing
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import pytest

from jobs import remote
from jobs.contract import (
    Accept,
    Approval,
    Body,
    Command,
    Migrate,
    Planned,
    Reject,
    RetireStore,
    StepDone,
    Waiting,
    encode,
)
from jobs.daemon_options import cleaned_files
from lab.chaos import invariants
from lab.fleet import options
from lab.simulated import apt
from lab.simulated.dialect import OFFERED, Pace
from lab.simulated.dockerd import Dockerd
from lab.simulated.fleet import Fleet
from lab.simulated.machine import Machine, Package
from tests.lab.simulated import dying
from tests.lab.simulated.conftest import Imker

FIRST = "connewitz"
AT_ONCE = Pace(upgrade=0, restart=0, boot=0, join=0)
LATER = "20991231T000000Z"  # a copy that is saved after the kill sorts after those from before
FORK = multiprocessing.get_context("forkserver")
FORK.set_forkserver_preload([dying.__name__])


@dataclass(frozen=True)
class Kind:
    """`yes`: what somebody answers to the question at the end; `swarm`: whether there is one before; `after`: jobs

    that are left alone, as another kind has their boundaries.
    """

    command: Migrate | RetireStore
    yes: Literal["", "accept", "remove", "retire"] = ""
    swarm: bool = True
    after: int = 0


KINDS = {
    "the first manager": Kind(Migrate(FIRST, "manager"), swarm=False),
    "a manager-to-be": Kind(Migrate("tondi", "manager")),
    "a manager-to-be, accepted": Kind(Migrate("tondi", "manager"), yes="accept", after=1),
    "a manager-to-be, rejected": Kind(Migrate("kaditz", "manager"), yes="remove", after=1),
    "a worker of docker-machine's": Kind(Migrate("pirita", "worker", docker_group=True)),
    "the key-value store's host": Kind(Migrate("lausen", "worker")),
    "the key-value store, retired": Kind(RetireStore("lausen"), yes="retire"),
}


@pytest.mark.parametrize("name", KINDS)
def test_killed_at_every_boundary_it_ends_as_if_nothing_had_been(
    name: str, other: Callable[..., Fleet], redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = KINDS[name]
    host = kind.command.host
    imker = Imker(other(*dict.fromkeys((FIRST, host)), pace=AT_ONCE), redis)
    _begin(imker, kind)
    whole = _story(imker, kind)
    wanted = _lasting(imker.fleet, host)
    boundaries = [(job, number) for job, plan in enumerate(whole) for number in range(len(plan) + 1)]
    for job, number in boundaries:
        if job < kind.after:
            continue
        _begin(imker, kind)
        where = f"job {job + 1}, after {number} of {whole[job]}"
        assert _cut(imker, kind, job, number) == whole[job][:number], where
        with monkeypatch.context() as later:
            later.setattr(remote, "stamp", lambda: LATER)
            _story(imker, kind)
        assert _lasting(imker.fleet, host) == wanted, where
        assert kind.yes == "remove" or _steps(imker.does(kind.command)) == (), where
        assert invariants.nothing_twice(imker.fleet.world.history.deeds()) == [], where
    assert imker.fleet.world.history.unknown == []


@pytest.mark.parametrize(
    ("command", "failing", "state"),
    [
        (Migrate(FIRST, "manager"), "RestartEngine", "Engine 20.10.24 runs there, with its old options."),
        (Migrate("kaditz", "manager"), "RestartEngine", "Engine 20.10.24 runs there, with its old options but"),
        (Migrate("pirita", "worker"), "RestartEngine", "Engine 20.10.24 runs there, with its old options but"),
        (Migrate("kaditz", "manager"), "UpgradeEngine", "Its Engine was not restarted."),
    ],
)
def test_killed_before_what_fails_then_its_host_is_put_back_by_the_next_job(
    command: Migrate, failing: str, state: str, other: Callable[..., Fleet], redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By which nothing was changed, and nothing saved. Once it goes well, it ends as if nothing had been."""
    kind, host = Kind(command, swarm=command.host != FIRST), command.host
    monkeypatch.setattr("jobs.execute.restart.WITHIN", 0.2)
    imker = Imker(other(*dict.fromkeys((FIRST, host)), pace=AT_ONCE), redis)
    _begin(imker, kind)
    was, whole, wanted = _old(imker.fleet[host]), _story(imker, kind)[0], _whole(imker.fleet[host].disk.texts)
    for number in range(whole.index(failing) + 1):
        _begin(imker, kind)
        assert _cut(imker, kind, 0, number) == whole[:number]
        with monkeypatch.context() as later:
            _breaks(failing, imker.fleet[host].dockerd, later)
            last = imker.does(command)[-1]
        where = f"after {number} of {whole}: {last}"
        assert last.outcome == "restored", where
        assert "old files and package are back" in last.summary, where
        assert last.state.startswith(state), where
        assert _old(imker.fleet[host]) == was, where
    imker.does(command)
    assert _whole(imker.fleet[host].disk.texts) == wanted
    assert _steps(imker.does(command)) == ()


@pytest.mark.parametrize("after", ["SwitchSource", "RewriteOptions", "UpgradeEngine", "PutOptionsBack"])
def test_what_somebody_wrote_between_the_two_jobs_is_saved_before_it_goes(
    after: str, other: Callable[..., Fleet], redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = Kind(Migrate("kaditz", "manager"))
    monkeypatch.setattr("jobs.execute.restart.WITHIN", 0.2)
    imker = Imker(other(FIRST, "kaditz", pace=AT_ONCE), redis)
    _begin(imker, kind)
    whole = _story(imker, kind)[0]
    _begin(imker, kind)
    machine = imker.fleet["kaditz"]
    was = _old(machine)
    _cut(imker, kind, 0, whole.index(after) + 1)
    own = machine.disk.texts[options.DEFAULTS] + "# somebody's own words\n"
    machine.disk.write(options.DEFAULTS, own)
    monkeypatch.setattr(remote, "stamp", lambda: LATER)
    _breaks("RestartEngine", machine.dockerd, monkeypatch)
    assert imker.does(kind.command)[-1].outcome == "restored"
    kept = {path: text for path, text in machine.disk.texts.items() if path.startswith(f"{options.DEFAULTS}.imker-")}
    assert own in kept.values()
    if after != "SwitchSource":  # by then the file had not been changed: the words are what is gone back to
        assert _old(machine) == was


def _breaks(step: str, dockerd: Dockerd, patch: pytest.MonkeyPatch) -> None:
    """The new Engine does not start, or does not go in; the old one does."""
    refuses = dockerd.refusal
    if step == "UpgradeEngine":
        patch.setattr(apt, "_install", lambda *_: 100)
    patch.setattr(dockerd, "refusal", lambda: "exec format" if dockerd.installed().startswith("26") else refuses())


def _old(machine: Machine) -> dict[str, object]:
    """What is to be as it was; the classic options are none that Debian's 20.10 starts with."""
    files = {path: text for path, text in _whole(machine.disk.texts).items() if not path.endswith(".dpkg-old")}
    names = {one.name: one.running for one in machine.containers.values() if not one.name.startswith("swarm-")}
    return {
        "files": cleaned_files(files),
        "package": machine.packages["docker.io"],
        "engine": (machine.dockerd.version, machine.dockerd.command_line, machine.dockerd.tls),
        "containers": names,
    }


def _story(imker: Imker, kind: Kind) -> list[tuple[str, ...]]:
    """Uninterrupted, to the end; each job's steps."""
    told = [imker.does(kind.command)]
    while (following := _following(kind, told[-1][-1])) is not None:
        told.append(imker.does(*following))
    assert all(_done(bodies) == _steps(bodies) for bodies in told)
    return [_steps(bodies) for bodies in told]


def _cut(imker: Imker, kind: Kind, job: int, boundary: int) -> tuple[str, ...]:
    """The story up to that job, which is killed there; the steps that it has done. Then its locks' leases end."""
    command, approvals = kind.command, ()
    for _ in range(job):
        following = _following(kind, imker.does(command, *approvals)[-1])
        assert following
        command, *approvals = following
    request = imker.asks(command, *approvals)
    socket = imker.redis.connection_pool.connection_kwargs["path"]
    config = imker.fleet.folder / "imker.toml"
    process = FORK.Process(target=dying.job, args=(encode(request), config, socket, boundary))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    for lock in imker.redis.keys("lock:*"):
        imker.redis.delete(lock)
    return _done(imker.told(request))


def _following(kind: Kind, last: Body) -> tuple[Command, Approval] | None:
    if not isinstance(last, Waiting) or not kind.yes:
        return None
    yes = Approval("U02BOB", last.fingerprint, time.time())
    if kind.yes == "retire":
        return RetireStore(last.host), yes
    assert last.candidate
    node = last.candidate.node
    return (Accept(node) if kind.yes == "accept" else Reject(node, remove=True)), yes


def _steps(told: list[Body]) -> tuple[str, ...]:
    return tuple(line.key for body in told if isinstance(body, Planned) for line in body.steps)


def _done(told: list[Body]) -> tuple[str, ...]:
    return tuple(body.key for body in told if isinstance(body, StepDone))


def _begin(imker: Imker, kind: Kind) -> None:
    """All hosts as in 2016; if there is to be a swarm, the first manager is in it, and so is a store's host."""
    imker.redis.flushall()
    imker.fleet.reset()
    if kind.swarm:
        _founded(imker.fleet)
    if isinstance(kind.command, RetireStore):
        imker.does(Migrate(kind.command.host, "worker"))


def _founded(fleet: Fleet) -> None:
    """As a migration would leave it, and sooner."""
    machine = fleet[FIRST]
    machine.packages = {name: Package(version) for name, version in OFFERED["2016"]["experimental"].items()}
    for path, text in options.files(machine.about, classic=False).items():
        machine.disk.write(path, text)
    assert machine.dockerd.restart()
    fleet.world.swarm.init(machine)


def _lasting(fleet: Fleet, name: str) -> dict[str, object]:
    """What counts of a host, of its place in the swarm, and of what docker-machine keeps of it on this side."""
    machine, swarm = fleet[name], fleet.world.swarm
    store = fleet.folder / f"docker-machine/machines/{name}"
    kept = {path.name: path.read_text() for path in store.glob("config.json*")}
    return {
        "files": _whole(machine.disk.texts),
        "as they were": _originals(machine.disk.texts),
        "docker-machine's": (_whole(kept), _originals(kept)),
        "packages": machine.packages,
        "containers": {
            one.name: (one.image, one.restart, one.running, one.ports) for one in machine.containers.values()
        },
        "engine": (machine.dockerd.version, machine.dockerd.command_line, machine.dockerd.tls),
        "groups": machine.groups,
        "upgrade": machine.units.get(remote.UPGRADE),
        "nodes": sorted(
            (node.hostname, node.role, node.availability, sorted(node.labels), node.machine is None)
            for node in swarm.nodes.values()
        ),
    }


def _whole(texts: dict[str, str]) -> dict[str, str]:
    return {path: text for path, text in texts.items() if ".imker-" not in path and path != remote.FENCE}


def _originals(texts: dict[str, str]) -> dict[str, str]:
    """The first saved copy of each file: what was there before anything was changed."""
    copies = sorted((path for path in texts if ".imker-" in path), reverse=True)
    return {path.split(".imker-")[0]: texts[path] for path in copies}
