"""Kill a job between any two steps of its plan: a repeated command completes it as if it had never crashed.

The steps are those of the plan that the run reported.
"""

import multiprocessing
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import pytest
from redis import Redis

from imker.failpoints import Failpoint
from imker.protocol.codec import encode_message
from imker.protocol.commands import Accept, Approval, Command, Migrate, Reject, RetireStore
from imker.protocol.events import DecisionRequested, EventBody, Planned, StepDone
from jobs.connectors import fenced_shell, files, systemd
from jobs.daemon_options import clean_files
from lab.chaos import invariants
from lab.fleet import daemon_option_files
from lab.simulated import apt
from lab.simulated.dockerd import Dockerd
from lab.simulated.engine_versions import PACKAGE_VERSIONS, Pace
from lab.simulated.fleet import Fleet
from lab.simulated.machine import Machine
from lab.simulated.parts import Package
from tests.simulated.conftest import JobRunner
from tests.support import killable_job

FIRST = "connewitz"
AT_ONCE = Pace(upgrade=0, restart=0, boot=0, join=0)
LATER = "20991231T000000Z"  # a copy that is saved after the kill sorts after those from before
FORK = multiprocessing.get_context("forkserver")
FORK.set_forkserver_preload([killable_job.__name__])


@dataclass(frozen=True)
class Kind:
    """A command to kill.

    `yes`: the answer to its final question; `swarm`: whether a swarm exists before; `after`: number of first jobs
    that are not killed because another kind covers them.
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
def test_repeated_command_completes_a_job_killed_at_any_step(
    name: str, other: Callable[..., Fleet], redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = KINDS[name]
    host = kind.command.host
    imker = JobRunner(other(*dict.fromkeys((FIRST, host)), pace=AT_ONCE), redis)
    _begin(imker, kind)
    complete_run = _story(imker, kind)
    expected = _lasting(imker.fleet, host)
    boundaries = [(job, number) for job, plan in enumerate(complete_run) for number in range(len(plan) + 1)]
    for job, number in boundaries:
        if job < kind.after:
            continue
        _begin(imker, kind)
        where = f"job {job + 1}, after {number} of {complete_run[job]}"
        assert _cut(imker, kind, job, number) == complete_run[job][:number], where
        with monkeypatch.context() as later:
            later.setattr(files, "backup_suffix", lambda: LATER)
            _story(imker, kind)
        assert _lasting(imker.fleet, host) == expected, where
        assert kind.yes == "remove" or _steps(imker.run_job(kind.command)) == (), where
        assert invariants.nothing_done_twice(imker.fleet.world.history.actions()) == [], where
    assert imker.fleet.world.history.unknown_requests == []


@pytest.mark.parametrize(
    ("command", "failing", "state"),
    [
        (Migrate(FIRST, "manager"), "RestartEngine", "Engine 20.10.24 runs there, with its old options."),
        (Migrate("kaditz", "manager"), "RestartEngine", "Engine 20.10.24 runs there, with its old options without"),
        (Migrate("pirita", "worker"), "RestartEngine", "Engine 20.10.24 runs there, with its old options without"),
        (Migrate("kaditz", "manager"), "UpgradeEngine", "Its Engine was not restarted."),
    ],
)
def test_next_job_rolls_back_a_host_whose_job_was_killed_before_a_failure(
    command: Migrate,
    failing: str,
    state: str,
    other: Callable[..., Fleet],
    redis: Redis,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The next job itself changed nothing and saved nothing. Once the step works, the migration succeeds."""
    kind, host = Kind(command, swarm=command.host != FIRST), command.host
    monkeypatch.setattr("jobs.execute.restart.ANSWER_TIMEOUT", 0.2)
    imker = JobRunner(other(*dict.fromkeys((FIRST, host)), pace=AT_ONCE), redis)
    _begin(imker, kind)
    was, complete_run, expected = (
        _old(imker.fleet[host]),
        _story(imker, kind)[0],
        _complete_files(imker.fleet[host].disk.texts),
    )
    for number in range(complete_run.index(failing) + 1):
        _begin(imker, kind)
        assert _cut(imker, kind, 0, number) == complete_run[:number]
        with monkeypatch.context() as later:
            _breaks(failing, imker.fleet[host].dockerd, later)
            last = imker.run_job(command)[-1]
        where = f"after {number} of {complete_run}: {last}"
        assert last.outcome == "rolled_back", where
        assert "restored the old files and package" in last.summary, where
        assert last.state.startswith(state), where
        assert _old(imker.fleet[host]) == was, where
    imker.run_job(command)
    assert _complete_files(imker.fleet[host].disk.texts) == expected
    assert _steps(imker.run_job(command)) == ()


@pytest.mark.parametrize(
    ("failing", "point", "times"),
    [
        ("RestartEngine", "restart.requested", 0),  # of the old Engine; the new one refuses its options before
        ("RestartEngine", "rollback.files", 0),
        ("RestartEngine", "upgrade.started", 1),  # the old package's
        ("RestartEngine", "upgrade.finished", 1),
        ("RestartEngine", "rollback.package", 0),
        ("UpgradeEngine", "upgrade.finished", 0),
    ],
)
def test_next_job_completes_a_rollback_that_was_killed(
    failing: str,
    point: Failpoint,
    times: int,
    other: Callable[..., Fleet],
    redis: Redis,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same step fails again in the next job. Once it works, the migration succeeds."""
    kind = Kind(Migrate("kaditz", "manager"))
    monkeypatch.setattr("jobs.execute.restart.ANSWER_TIMEOUT", 0.2)
    imker = JobRunner(other(FIRST, "kaditz", pace=AT_ONCE), redis)
    _begin(imker, kind)
    machine = imker.fleet["kaditz"]
    was = _old(machine)
    with monkeypatch.context() as broken:
        _breaks(failing, machine.dockerd, broken)
        _killed(imker, kind.command, (), point, times)
        last = imker.run_job(kind.command)[-1]
    assert last.outcome == "rolled_back", last
    assert _old(machine) == was
    assert isinstance(imker.run_job(kind.command)[-1], DecisionRequested)
    assert _steps(imker.run_job(kind.command)) == ()


@pytest.mark.parametrize("after", ["SwitchAptSource", "RewriteOptions", "UpgradeEngine", "RestoreOptions"])
def test_backs_up_edits_made_between_two_jobs(
    after: str, other: Callable[..., Fleet], redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = Kind(Migrate("kaditz", "manager"))
    monkeypatch.setattr("jobs.execute.restart.ANSWER_TIMEOUT", 0.2)
    imker = JobRunner(other(FIRST, "kaditz", pace=AT_ONCE), redis)
    _begin(imker, kind)
    complete_run = _story(imker, kind)[0]
    _begin(imker, kind)
    machine = imker.fleet["kaditz"]
    was = _old(machine)
    _cut(imker, kind, 0, complete_run.index(after) + 1)
    edited_text = machine.disk.texts[daemon_option_files.DEFAULTS_PATH] + "# a comment by an operator\n"
    machine.disk.write(daemon_option_files.DEFAULTS_PATH, edited_text)
    monkeypatch.setattr(files, "backup_suffix", lambda: LATER)
    _breaks("RestartEngine", machine.dockerd, monkeypatch)
    assert imker.run_job(kind.command)[-1].outcome == "rolled_back"
    copies = {
        path: text
        for path, text in machine.disk.texts.items()
        if path.startswith(f"{daemon_option_files.DEFAULTS_PATH}.imker-")
    }
    assert edited_text in copies.values()
    if after != "SwitchAptSource":  # by then the file had not been changed: the words are what is gone back to
        assert _old(machine) == was


def _breaks(step: str, dockerd: Dockerd, patch: pytest.MonkeyPatch) -> None:
    """Let the new Engine fail to install or to start; the old one works."""
    refuses = dockerd.refusal
    if step == "UpgradeEngine":
        patch.setattr(apt, "_install_packages", lambda *_: 100)
    patch.setattr(
        dockerd, "refusal", lambda: "exec format" if dockerd.installed_version().startswith("26") else refuses()
    )


def _old(machine: Machine) -> dict[str, object]:
    """Return the state that a rollback has to restore, without classic options, which 20.10 does not start with."""
    files = {path: text for path, text in _complete_files(machine.disk.texts).items() if not path.endswith(".dpkg-old")}
    names = {
        container.name: container.running
        for container in machine.containers.values()
        if not container.name.startswith("swarm-")
    }
    return {
        "files": clean_files(files),
        "package": machine.packages["docker.io"],
        "engine": (machine.dockerd.version, machine.dockerd.command_line, machine.dockerd.tls),
        "containers": names,
    }


def _story(imker: JobRunner, kind: Kind) -> list[tuple[str, ...]]:
    """Run all jobs without a crash and return the steps of each."""
    bodies_by_job = [imker.run_job(kind.command)]
    while (following := _following(kind, bodies_by_job[-1][-1])) is not None:
        bodies_by_job.append(imker.run_job(*following))
    assert all(_completed_steps(bodies) == _steps(bodies) for bodies in bodies_by_job)
    return [_steps(bodies) for bodies in bodies_by_job]


def _cut(imker: JobRunner, kind: Kind, job: int, boundary: int) -> tuple[str, ...]:
    """Run the jobs up to that one and kill it there; return the steps it completed."""
    command, approvals = kind.command, ()
    for _ in range(job):
        following = _following(kind, imker.run_job(command, *approvals)[-1])
        assert following
        command, *approvals = following
    return _killed(imker, command, approvals, "step.next", boundary)


def _killed(
    imker: JobRunner, command: Command, approvals: Sequence[Approval], point: Failpoint, times: int
) -> tuple[str, ...]:
    """Kill a job at the failpoint after so many passes; return the steps it completed. Then expire its locks."""
    request = imker.build_request(command, *approvals)
    socket = imker.redis.connection_pool.connection_kwargs["path"]
    config = imker.fleet.folder / "imker.toml"
    process = FORK.Process(
        target=killable_job.run_killable_job, args=(encode_message(request), config, socket, point, times)
    )
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    for lock in imker.redis.keys("lock:*"):
        imker.redis.delete(lock)
    return _completed_steps(imker.event_bodies(request))


def _following(kind: Kind, last: EventBody) -> tuple[Command, Approval] | None:
    if not isinstance(last, DecisionRequested) or not kind.yes:
        return None
    yes = Approval("U02BOB", last.fingerprint, time.time())
    if kind.yes == "retire":
        return RetireStore(last.host), yes
    assert last.candidate
    node = last.candidate.node
    return (Accept(node) if kind.yes == "accept" else Reject(node, remove=True)), yes


def _steps(events: list[EventBody]) -> tuple[str, ...]:
    return tuple(line.key for body in events if isinstance(body, Planned) for line in body.steps)


def _completed_steps(events: list[EventBody]) -> tuple[str, ...]:
    return tuple(body.key for body in events if isinstance(body, StepDone))


def _begin(imker: JobRunner, kind: Kind) -> None:
    """Reset all hosts; if there is to be a swarm, add the first manager and the store's host."""
    imker.redis.flushall()
    imker.fleet.reset()
    if kind.swarm:
        _create_swarm(imker.fleet)
    if isinstance(kind.command, RetireStore):
        imker.run_job(Migrate(kind.command.host, "worker"))


def _create_swarm(fleet: Fleet) -> None:
    """Create the swarm as a migration would, but faster."""
    machine = fleet[FIRST]
    machine.packages = {name: Package(version) for name, version in PACKAGE_VERSIONS["2016"]["experimental"].items()}
    for path, text in daemon_option_files.option_files(machine.lab_host, classic=False).items():
        machine.disk.write(path, text)
    assert machine.dockerd.restart()
    fleet.world.swarm.init(machine)


def _lasting(fleet: Fleet, name: str) -> dict[str, object]:
    """Return the lasting state of the host, of its node, and of its docker-machine configuration."""
    machine, swarm = fleet[name], fleet.world.swarm
    store = fleet.folder / f"docker-machine/machines/{name}"
    store_files = {path.name: path.read_text() for path in store.glob("config.json*")}
    return {
        "files": _complete_files(machine.disk.texts),
        "as they were": _originals(machine.disk.texts),
        "docker-machine's": (_complete_files(store_files), _originals(store_files)),
        "packages": machine.packages,
        "containers": {
            container.name: (container.image, container.restart, container.running, container.ports)
            for container in machine.containers.values()
        },
        "engine": (machine.dockerd.version, machine.dockerd.command_line, machine.dockerd.tls),
        "groups": machine.groups,
        "upgrade": machine.units.get(systemd.UPGRADE_UNIT),
        "nodes": sorted(
            (node.hostname, node.role, node.availability, sorted(node.labels), node.machine is None)
            for node in swarm.nodes.values()
        ),
    }


def _complete_files(texts: dict[str, str]) -> dict[str, str]:
    return {path: text for path, text in texts.items() if ".imker-" not in path and path != fenced_shell.FENCE_FILE}


def _originals(texts: dict[str, str]) -> dict[str, str]:
    """Return the first backup of each file: its content before any change."""
    copies = sorted((path for path in texts if ".imker-" in path), reverse=True)
    return {path.split(".imker-")[0]: texts[path] for path in copies}
