"""Format each class of job error and the errors of each connector."""

import inspect
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import paramiko
import pytest
import requests
from docker.errors import APIError
from redis import Redis

from imker.protocol.commands import Migrate
from jobs.connectors import engine_errors, ssh, swarm_label, systemd
from jobs.connectors.ssh_client import errors as ssh_errors
from jobs.daemon_options import model
from jobs.errors import JobError
from jobs.execute import (
    exclusive,
    execute_step,
    files,
    membership,
    packages,
    polling,
    restart,
    rollback,
    runner,
    upgrade,
)
from jobs.execute.exclusive import hold_lock
from jobs.execute.target import StepTarget
from jobs.gather import host
from jobs.gather.swarm import ask_engine
from jobs.inventory.model import Host
from jobs.locking.fencing_token import FencingToken
from jobs.locking.lease import LockHolder, acquire_lock
from jobs.settings import Settings
from jobs.steps import (
    InitSwarm,
    JoinSwarm,
    RemoveClassicContainers,
    RestartEngine,
    UpgradeEngine,
    WaitForReachable,
    WaitForReady,
)
from tests.golden.scripted_host import (
    AT,
    KADITZ,
    NODE,
    TONDI,
    ScriptedShell,
    connect_to,
    error_text,
    fail,
    failure_lines,
    office,
)
from tests.golden.text_layout import page, section


def errors(redis: Redis, patch: pytest.MonkeyPatch) -> str:
    """Return every class of error with example texts, then the errors of each connector."""
    patch.setattr(polling, "wait_for", lambda true, *_: true())
    errors_by_name = {kind.__name__: _create_error(kind) for kind in _kinds(JobError)}
    classes = section(
        "every class of error", *(line for name, item in errors_by_name.items() for line in failure_lines(name, item))
    )
    edges = {"SSH": _ssh(), "the Engine API": _engine(), "a step": _steps(), "a job": _jobs(redis)}
    return page(classes, *(section(f"what {title} says", *lines) for title, lines in edges.items()))


def _kinds(base: type[JobError]) -> list[type[JobError]]:
    subclasses = (subclass for subclass in base.__subclasses__() if not subclass.__module__.startswith("tests"))
    kinds = [base, *(kind for subclass in subclasses for kind in _kinds(subclass))]
    return sorted(kinds, key=lambda kind: kind.__name__)


def _create_error(kind: type[JobError]) -> JobError:
    """Create an error with an example for each required parameter."""
    values: dict[str, Any] = {"code": 1, "token_number": 8, "since": AT, "host": "kaditz"}
    required = [
        parameter for parameter in inspect.signature(kind).parameters.values() if parameter.default is parameter.empty
    ]
    return kind(
        *(
            values.get(parameter.name, f"({parameter.name})")
            for parameter in required
            if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
        )
    )


def _ssh() -> list[str]:
    known_hosts = Path("/k/known_hosts")
    key = paramiko.RSAKey.generate(1024)
    causes: dict[str, Exception] = {
        "another host key": paramiko.BadHostKeyException("kaditz", key, key),
        "an unknown host key": paramiko.SSHException("Server 'kaditz' not found in known_hosts"),
        "a refused key": paramiko.AuthenticationException(),
        "no answer": TimeoutError(),
        "refused": ConnectionRefusedError("Connection refused"),
    }
    lines = [
        line
        for title, cause in causes.items()
        for line in failure_lines(title, ssh_errors.unreachable_error(KADITZ, known_hosts, cause))
    ]
    for why in (TypeError(), ValueError()):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(paramiko.PKey, "from_path", partial(_raise_it, why))
            lines += error_text(f"a key file with {type(why).__name__}", lambda: ssh.SshShell(KADITZ, known_hosts))
    return [
        *lines,
        *error_text("no key file", lambda: ssh.SshShell(KADITZ, known_hosts)),
        *error_text("no sudo", _no_sudo),
    ]


def _raise_it(failed: Exception, *_: object) -> None:
    raise failed


def _no_sudo() -> object:
    refusal = (1, "sudo: a password is required")
    return host.gather_host(
        ScriptedShell({"true": refusal, "sh -c": refusal}),
        KADITZ,
        Settings().engine,
        ask_engine(KADITZ, connect_to),
    )


def _engine() -> Iterator[str]:
    causes: dict[str, Exception] = {
        "refused": requests.ConnectionError("Connection refused"),
        "a wrong certificate": OSError("certificate verify failed"),
        "timed out": requests.Timeout("timed out"),
        "anything else": OSError("(why)"),
        "a no": APIError("no", explanation="(what the Engine says)"),
        "nonsense": KeyError("x"),
    }
    for title, cause in causes.items():
        yield from error_text(title, partial(_within, engine_errors.translate_errors(KADITZ), cause))
    later_labels = {"Labels": {swarm_label.FENCE_LABEL: "4 latr2222 1795440060.000000"}}
    yield from error_text("a later run", lambda: swarm_label.with_token(FencingToken(3, "k3fm9x2q", AT), later_labels))


def _within(context: Any, cause: Exception) -> None:
    with context:
        raise cause


DIFFERS = {"# imker: change files": (65, "imker-changed /etc/default/docker")}
BEFORE = "cat -- /var/lib/imker/before"
NOTED = "/etc/default/docker.imker-1\ndocker.io=20.10.24\n"


def _site(
    answers: dict[str, tuple[int, str]], notes: list[str] | None = None, *, connect: Any = connect_to
) -> StepTarget:
    """Create a target on a scripted host. `notes` collects progress texts and the titles of thread replies."""
    collected = [] if notes is None else notes
    return StepTarget(
        KADITZ,
        ScriptedShell(answers),
        {"kaditz": KADITZ, "tondi": TONDI},
        connect,
        lambda text: collected.append(f"    note:    {text}"),
        lambda title, _: collected.append(f"    thread:  {title}"),
        lambda *_: None,
        "10.0.0.0/8",
        ("tondi",),
    )


def _away(host: Host, timeout: float = 10) -> Any:
    raise JobError("(no answer)")


def _steps() -> Iterator[str]:
    yield from _restarts()
    yield from _upgrades()
    edit = model.FileEdit("/etc/default/docker", "old", "new")
    yield from error_text("a file that changed", lambda: files.apply_edits(_site(DIFFERS), (edit,)))
    missing = model.FileEdit("/none/config.json", "old", "new")
    yield from error_text("docker-machine's file that is gone", lambda: files.clean_machine_config(_site({}), missing))
    yield from error_text("no manager", lambda: _site({}, connect=_away).connect_manager())
    yield from error_text("an unknown node", lambda: membership.find_node(_site({}), NODE))
    yield from _timeouts()


def _timeouts() -> Iterator[str]:
    """Yield the errors of waits that time out."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(polling, "wait_for", lambda *_: False)
        for step in (JoinSwarm(False), WaitForReady(), WaitForReachable(NODE)):
            yield from error_text(type(step).__name__, partial(execute_step, step, _site({})))
        patch.setattr(packages, "UPGRADE_TIMEOUT", 0)
        yield from error_text(
            "an upgrade that takes too long", partial(packages.install_packages, _site({}), ("docker.io=26.1.5",))
        )
        patch.setattr(packages, "_follow_unit", lambda *_: packages.FollowedUnit(systemd.UnitState("", "", 0)))
        notes: list[str] = []
        yield from error_text(
            "an upgrade cut short", partial(packages.install_packages, _site({}, notes), ("docker.io=26.1.5",))
        )
        yield from notes[:1]


RESTARTS: dict[str, tuple[dict[str, tuple[int, str]], tuple[bool, ...]]] = {  # answers, and whether each start works
    "refused options": ({"# imker: save the names": (65, "(why)")}, (True,)),
    "a failed restart": ({}, (False, True)),
    "a failed restart, files and a package noted": ({BEFORE: (0, NOTED)}, (False, True)),
    "a failed restart, then one without the classic options": ({BEFORE: (0, NOTED)}, (False, False, True)),
    "a failed restart, and a failed rollback": ({}, (False, False)),
    "a failed restart, and a failed rollback of files and a package": ({BEFORE: (0, NOTED)}, (False, False, False)),
}


def _restarts() -> Iterator[str]:
    for title, (answers, starts) in RESTARTS.items():
        notes: list[str] = []
        yield from error_text(title, partial(_restarted, answers, iter(starts), "without" in title, notes))
        yield from notes


def _restarted(answers: dict[str, tuple[int, str]], starts: Iterator[bool], cleaned: bool, notes: list[str]) -> str:
    """Restart an Engine whose starts succeed or fail as `starts` says."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(restart, "_answers", lambda *_: next(starts))
        patch.setattr(rollback, "remove_classic_options", lambda *_: cleaned)
        patch.setattr(packages, "install_packages", lambda *_: None)
        return restart.restart_engine(
            _site({**answers, "# imker: start the containers": (0, "web")}, notes), RestartEngine("26.1.5", ("web",))
        )


def _upgrades() -> Iterator[str]:
    for title, rolled_back in (("apt failed", True), ("apt failed, and the rollback", False)):
        notes: list[str] = []
        yield from error_text(title, partial(_upgraded, rolled_back, notes))
        yield from notes
    yield from error_text("a host that is away", lambda: fail(packages._unreachable_error(_site({}))))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("time.sleep", lambda _: None)
        lost: list[str] = []
        packages._reconnect(_site({}, lost))
    yield from ("  a lost connection", *lost)


def _upgraded(rolled_back: bool, notes: list[str]) -> str:
    step = UpgradeEngine(("docker.io=26.1.5",), "26.1.5", "", ("docker.io=20.10.24",))
    ended = systemd.UnitState("active", "exited", 100, packages._unit_description(step.packages))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packages, "_follow_unit", lambda *_: packages.FollowedUnit(ended, "E: (why)"))
        patch.setattr(rollback, "downgrade_package", lambda *_: rolled_back)
        return upgrade.upgrade_engine(_site({BEFORE: (0, NOTED)}, notes), step)


def _jobs(redis: Redis) -> Iterator[str]:
    context = office(redis, Migrate("kaditz"), ("lei-*",))
    yield from error_text("an unknown host", lambda: context.find_host("kadits"))
    yield from error_text("a host that is not in the inventory", lambda: context.find_host("nowhere"))
    yield from error_text("a host out of the right", lambda: context.find_host("kaditz"))
    with (
        acquire_lock(redis, "host:kaditz", LockHolder("latr2222", "U02BOB", "migrate kaditz", AT)),
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(exclusive, "LOCK_TIMEOUT", 0)
        yield from error_text("a locked host", lambda: hold_lock(context, "host:kaditz", "migrate kaditz").__enter__())
    yield from _left_behind()


def _left_behind() -> Iterator[str]:
    plan = (RemoveClassicContainers(("swarm-agent",)), InitSwarm(), JoinSwarm(True))
    failures = {"a failure": JobError("(why)"), "a rollback": rollback.RolledBack("(why)", state="(the old state)")}
    for title, failed in failures.items():
        for number in (0, 1, 2):
            remaining = runner.describe_remaining(failed, KADITZ, plan, number)
            yield f"  the state after {title} in step {number + 1}: {remaining}"
            failed.state = "" if title == "a failure" else failed.state
