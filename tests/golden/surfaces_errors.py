"""How jobs fail: each class of error, and what each edge says. Text per surface."""

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

from jobs import engine, gather, remote, ssh, stepping, swarm_label
from jobs.contract import Migrate
from jobs.errors import JobError
from jobs.execute import execute, membership, options, packages, restart, upgrade
from jobs.execute.site import Site
from jobs.inventory import Host
from jobs.lock import Holder, Mark, held
from jobs.settings import Settings
from jobs.stepping import locked
from jobs.steps import AwaitReachable, CheckNode, InitSwarm, JoinSwarm, RestartEngine, RetireContainers, UpgradeEngine
from tests.golden.page import page, section
from tests.golden.scripted import AT, KADITZ, NODE, TONDI, Scripted, connect_to, fail, failure, office, raised


def errors(redis: Redis, patch: pytest.MonkeyPatch) -> str:
    """Every class of error with an example of its words, then what each edge says."""
    patch.setattr(gather, "wait_for", lambda true, *_: true())
    made = {kind.__name__: _made(kind) for kind in _kinds(JobError)}
    classes = section("every class of error", *(line for name, one in made.items() for line in failure(name, one)))
    edges = {"SSH": _ssh(), "the Engine API": _engine(), "a step": _steps(), "a job": _jobs(redis)}
    return page(classes, *(section(f"what {title} says", *lines) for title, lines in edges.items()))


def _kinds(base: type[JobError]) -> list[type[JobError]]:
    own = (one for one in base.__subclasses__() if not one.__module__.startswith("tests"))
    found = [base, *(kind for one in own for kind in _kinds(one))]
    return sorted(found, key=lambda kind: kind.__name__)


def _made(kind: type[JobError]) -> JobError:
    """Make an error with something for each parameter that has no default."""
    values: dict[str, Any] = {"code": 1, "fence": 8, "since": AT, "host": "kaditz"}
    wanted = [one for one in inspect.signature(kind).parameters.values() if one.default is one.empty]
    return kind(*(values.get(one.name, f"({one.name})") for one in wanted if one.kind is one.POSITIONAL_OR_KEYWORD))


def _ssh() -> list[str]:
    known = Path("/k/known_hosts")
    key = paramiko.RSAKey.generate(1024)
    causes: dict[str, Exception] = {
        "another host key": paramiko.BadHostKeyException("kaditz", key, key),
        "an unknown host key": paramiko.SSHException("Server 'kaditz' not found in known_hosts"),
        "a refused key": paramiko.AuthenticationException(),
        "no answer": TimeoutError(),
        "refused": ConnectionRefusedError("Connection refused"),
    }
    lines = [line for title, cause in causes.items() for line in failure(title, ssh._unreachable(KADITZ, known, cause))]
    for why in (TypeError(), ValueError()):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(paramiko.PKey, "from_path", partial(_raise_it, why))
            lines += raised(f"a key file with {type(why).__name__}", lambda: ssh.SshShell(KADITZ, known))
    return [*lines, *raised("no key file", lambda: ssh.SshShell(KADITZ, known)), *raised("no sudo", _no_sudo)]


def _raise_it(failed: Exception, *_: object) -> None:
    raise failed


def _no_sudo() -> object:
    return gather.host(Scripted({"true": (1, "sudo: a password is required")}), KADITZ, Settings().engine, connect_to)


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
        yield from raised(title, partial(_within, engine._errors(KADITZ), cause))
    taken = {"Labels": {swarm_label.FENCE: "4 latr2222 1795440060.000000"}}
    yield from raised("a later run", lambda: swarm_label.marked(Mark(3, "k3fm9x2q", AT), taken))


def _within(context: Any, cause: Exception) -> None:
    with context:
        raise cause


BEFORE = "cat -- /var/lib/imker/before"
NOTED = "/etc/default/docker.imker-1\ndocker.io=20.10.24\n"


def _site(answers: dict[str, tuple[int, str]], said: list[str] | None = None, *, connect: Any = connect_to) -> Site:
    """Make a scripted host of which `said` takes the notes, and the titles of what goes into the thread."""
    told = [] if said is None else said
    return Site(
        KADITZ,
        Scripted(answers),
        {"kaditz": KADITZ, "tondi": TONDI},
        connect,
        lambda text: told.append(f"    note:    {text}"),
        lambda title, _: told.append(f"    thread:  {title}"),
        lambda *_: None,
        "10.0.0.0/8",
        ("tondi",),
    )


def _away(host: Host, timeout: float = 10) -> Any:
    raise JobError("(no answer)")


def _steps() -> Iterator[str]:
    yield from _restarts()
    yield from _upgrades()
    edit = options.FileEdit("/etc/default/docker", "old", "new")
    yield from raised("a file that changed", lambda: options.apply(_site({}), (edit,)))
    missing = options.FileEdit("/none/config.json", "old", "new")
    yield from raised("docker-machine's file that is gone", lambda: options.clean_machine(_site({}), missing))
    yield from raised("no manager", lambda: _site({}, connect=_away).manager())
    yield from raised("an unknown node", lambda: membership._seen(_site({}), NODE))
    yield from _timeouts()


def _timeouts() -> Iterator[str]:
    """What is waited for and does not come."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gather, "wait_for", lambda *_: False)
        for step in (JoinSwarm(False), CheckNode(), AwaitReachable(NODE)):
            yield from raised(type(step).__name__, partial(execute, step, _site({})))
        patch.setattr(packages, "LONGEST", 0)
        yield from raised("an upgrade that takes too long", partial(packages.install, _site({}), ("docker.io=26.1.5",)))
        patch.setattr(packages, "_follow", lambda *_: remote.UnitState("", "", 0))
        said: list[str] = []
        yield from raised("an upgrade cut short", partial(packages.install, _site({}, said), ("docker.io=26.1.5",)))
        yield from said[:1]


RESTARTS: dict[str, tuple[dict[str, tuple[int, str]], tuple[bool, ...]]] = {  # answers, and whether each start works
    "refused options": ({"timeout 20 dockerd": (1, "(why)")}, (True,)),
    "a failed restart": ({}, (False, True)),
    "a failed restart, files and a package noted": ({BEFORE: (0, NOTED)}, (False, True)),
    "a failed restart, then one without the classic options": ({BEFORE: (0, NOTED)}, (False, False, True)),
    "a failed restart, and a failed rollback": ({}, (False, False)),
    "a failed restart, and a failed rollback of files and a package": ({BEFORE: (0, NOTED)}, (False, False, False)),
}


def _restarts() -> Iterator[str]:
    for title, (answers, starts) in RESTARTS.items():
        said: list[str] = []
        yield from raised(title, partial(_restarted, answers, iter(starts), "without" in title, said))
        yield from said


def _restarted(answers: dict[str, tuple[int, str]], starts: Iterator[bool], cleaned: bool, said: list[str]) -> str:
    """Restart an Engine that starts only as `starts` says."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(restart, "_start", lambda *_: next(starts))
        patch.setattr(restart.back, "clean", lambda *_: cleaned)
        patch.setattr(packages, "install", lambda *_: None)
        return restart.restart(_site({**answers, "docker ps": (0, "web")}, said), RestartEngine("26.1.5", ("web",)))


def _upgrades() -> Iterator[str]:
    for title, back in (("apt failed", True), ("apt failed, and the rollback", False)):
        said: list[str] = []
        yield from raised(title, partial(_upgraded, back, said))
        yield from said
    yield from raised("a host that is away", lambda: fail(packages._away(_site({}))))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("time.sleep", lambda _: None)
        lost: list[str] = []
        packages._reconnect(_site({}, lost))
    yield from ("  a lost connection", *lost)


def _upgraded(back: bool, said: list[str]) -> str:
    step = UpgradeEngine(("docker.io=26.1.5",), "26.1.5", "", ("docker.io=20.10.24",))
    ended = remote.UnitState("active", "exited", 100, packages._about(step.packages))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packages, "_follow", lambda *_: ended)
        patch.setattr(upgrade.back, "downgrade", lambda *_: back)
        return upgrade.upgrade(_site({BEFORE: (0, NOTED), "journalctl": (0, "E: (why)")}, said), step)


def _jobs(redis: Redis) -> Iterator[str]:
    made = office(redis, Migrate("kaditz"), ("lei-*",))
    yield from raised("an unknown host", lambda: made.host("kadits"))
    yield from raised("a host of nobody", lambda: made.host("nowhere"))
    yield from raised("a host out of the right", lambda: made.host("kaditz"))
    with (
        held(redis, "host:kaditz", Holder("latr2222", "U02BOB", "migrate kaditz", AT)),
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(stepping, "PATIENCE", 0)
        yield from raised("a locked host", lambda: locked(made, "host:kaditz", "migrate kaditz").__enter__())
    yield from _left_behind()


def _left_behind() -> Iterator[str]:
    plan = (RetireContainers(("swarm-agent",)), InitSwarm(), JoinSwarm(True))
    failures = {"a failure": JobError("(why)"), "a rollback": restart.Restored("(why)", state="(the old state)")}
    for title, failed in failures.items():
        for number in (0, 1, 2):
            yield f"  the state after {title} in step {number + 1}: {stepping._left(failed, KADITZ, plan, number)}"
            failed.state = "" if title == "a failure" else failed.state
