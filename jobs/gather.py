"""Reads a host and the swarm. Changes nothing.

In: a shell, an Engine, the inventory. Out: the values of jobs.facts. What the output means is read there, not here.
"""

import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from jobs import facts, remote, swarms
from jobs.at_once import at_once
from jobs.daemon_options import OptionFiles, UnitFacts, assignments, config_file, effective
from jobs.engine import Engine
from jobs.errors import CommandFailed, EngineRefused, JobError, Unreachable
from jobs.facts import HostFacts, Node, SwarmFacts, SwarmPlace
from jobs.inventory import Host, Inventory
from jobs.lock import Mark
from jobs.preflight import candidates, conditions
from jobs.settings import EngineSection
from jobs.shell import Shell
from jobs.swarms import Known


class Connect(Protocol):
    """Engine itself, or a stand-in of the tests. `timeout`: seconds for each call."""

    def __call__(self, host: Host, timeout: float = 10) -> Engine: ...


@dataclass(frozen=True)
class Answer:
    """What a host's Engine says. `swarm`: of a manager, the swarm as it sees it, or why it does not show it."""

    engine: Engine
    place: SwarmPlace
    swarm: SwarmFacts | JobError | None


Answers = Mapping[str, Answer | JobError]
PLANNING = 10.0  # seconds for all that is asked of all hosts, whatever one of them does
ALWAYS_READ = ("/etc/default/docker", "/etc/docker/daemon.json")
HOSTNAME = "/proc/sys/kernel/hostname"
UNIT = ("FragmentPath", "DropInPaths", "EnvironmentFiles", "ExecMainStartTimestampMonotonic", "MainPID", "ActiveState")
# In one command: what passes between two looks would count as time that the daemon has run longer.
CLOCKS = "date +%s.%N; cat /proc/uptime"
MATCHING = 'for file in $1; do [ -e "$file" ] && printf "%s\\n" "$file"; done; true'


def host(shell: Shell, about: Host, engine: EngineSection, connect: Connect) -> HostFacts:
    """All that a plan needs to know of one host. Raises JobError when SSH or sudo is not there."""
    _check_sudo(shell, about)
    unit = _unit(shell)
    options = _options(shell, unit)
    place, version, api = _over_tls(about, connect)
    source = remote.read(shell, str(engine.apt_list)) or ""
    running = version or _running_version(shell)
    ran = remote.read(shell, remote.RAN)
    return HostFacts(
        name=about.name,
        engine=running,
        stale=bool(running) and _changed_since_start(shell, options, unit),
        api=api,
        package=candidates.package(shell, source, engine),
        source=source,
        upgrade=remote.unit_state(shell, remote.UPGRADE).active,
        options=options,
        containers=containers(shell) if running else (),
        ran=None if ran is None else tuple(ran.split()),
        begun=_begun(shell),
        place=place if api or not running else _place_by_command(shell),
        conditions=_conditions(shell, about, options),
    )


def _begun(shell: Shell) -> str:
    """By the host's own marks, which a Redis that was wiped has not lost."""
    if remote.read(shell, remote.BEFORE) is None:
        return ""
    return Mark.of((remote.read(shell, remote.FENCE) or "").strip()).run or "unknown"


def _conditions(shell: Shell, about: Host, options: OptionFiles) -> conditions.Conditions:
    given = {option.name: option.value for option in effective(options)}
    files = [given.get(name, "") for name in conditions.TLS_FILES]
    began = time.time()
    said = shell.run("sh", "-c", conditions.SCRIPT, "imker", about.ssh_user, *files, sudo=True, timeout=120)
    # The clock is asked first: what comes after it must not count as the way there.
    return conditions.read(said.stdout, began)


def ask(inventory: Inventory, connect: Connect, seconds: float = PLANNING) -> Answers:
    """Ask all hosts' Engines at the same time. A host that has not answered all after `seconds` is unreachable."""
    told = at_once(lambda about: _asked(about, connect), inventory, seconds)
    late = f"'s Engine does not answer within {seconds:g} s"
    return {name: told.get(name, Unreachable(f"{name}{late}", host=name)) for name in inventory}


def _asked(about: Host, connect: Connect) -> Answer | JobError:
    try:
        engine = connect(about)
        place = facts.place(engine.info())
    except (Unreachable, EngineRefused) as failed:
        return failed
    return Answer(engine, place, _seen_by(about, engine) if place.manager else None)


def swarm(
    inventory: Inventory,
    connect: Connect,
    known: Known = Known(),  # noqa: B008
    answers: Answers | None = None,
) -> SwarmFacts:
    """Compare all hosts' places and all managers' nodes: they have to agree who manages.

    `known`: the swarm as it was asked before; `answers`: the hosts' answers, if they were asked already.
    """
    told = answers or ask(inventory, connect)
    places = {name: answer.place for name, answer in told.items() if isinstance(answer, Answer)}
    managers = {name: place for name, place in places.items() if place.manager}
    heard = {name: answer.swarm for name, answer in told.items() if isinstance(answer, Answer) and answer.swarm}
    silent = tuple(name for name in inventory if name not in places)
    lists = {name: seen for name, seen in heard.items() if not isinstance(seen, JobError)}
    places |= {name: replace(places[name], cluster=seen.cluster) for name, seen in lists.items()}
    problem = swarms.disagreement(inventory, places, {name: seen.nodes for name, seen in lists.items()}, known)
    if problem:
        return SwarmFacts(silent=silent, problem=problem, places=places)
    if lists:
        asked, seen = next(iter(lists.items()))
        ordered = (asked, *(other for other in managers if other != asked))
        return replace(seen, managers=ordered, silent=silent, places=places)
    inside = {name: place.state for name, place in places.items() if place.state not in ("", "inactive")}
    failed = [seen.summary for seen in heard.values() if isinstance(seen, JobError)]
    problem = failed[-1] if failed else swarms.without_manager(inside) if inside else ""
    return SwarmFacts(managers=tuple(managers), silent=silent, problem=problem, places=places)


def _seen_by(about: Host, engine: Engine) -> SwarmFacts | JobError:
    """The swarm as one manager tells it. It names its cluster only once it has a leader, as the nodes: asked after."""
    try:
        nodes, autolock = node_list(engine), engine.autolock()
        return SwarmFacts(about.name, nodes, autolock=autolock, cluster=facts.place(engine.info()).cluster)
    except JobError as failed:
        return failed


def node_list(engine: Engine) -> tuple[Node, ...]:
    return tuple(sorted(map(facts.node, engine.nodes()), key=lambda node: (node.hostname, node.id)))


def _check_sudo(shell: Shell, about: Host) -> None:
    try:
        shell.run("true", sudo=True)
    except CommandFailed as refused:
        hint = f"Give {about.ssh_user} passwordless sudo on {about.name}: a file in /etc/sudoers.d."
        raise Unreachable(
            f"{about.ssh_user} may not use sudo on {about.name} without a password",
            host=about.name,
            hint=hint,
            check="sudo",
        ) from refused


def options(shell: Shell) -> OptionFiles:
    """The daemon's options as they stand on disk now."""
    return _options(shell, _unit(shell))


def _unit(shell: Shell) -> dict[str, str]:
    return facts.properties(shell.run("systemctl", "show", "docker.service", *(f"-p{name}" for name in UNIT)).stdout)


def _options(shell: Shell, unit: dict[str, str]) -> OptionFiles:
    environment = tuple(
        file for line in unit.get("EnvironmentFiles", "").splitlines() for file in _matching(shell, line)
    )
    drop_ins = tuple(unit.get("DropInPaths", "").split())
    fragment = unit.get("FragmentPath", "")
    paths = dict.fromkeys((fragment, *drop_ins, *(path.lstrip("-") for path in environment), *ALWAYS_READ))
    files = _texts(shell, paths)
    pid = unit.get("MainPID", "0")
    line = remote.read(shell, f"/proc/{pid}/cmdline") if pid != "0" else None
    found = OptionFiles(
        unit=UnitFacts(fragment, drop_ins, environment),
        files=files,
        command_line=tuple((line or "").split("\0")[:-1]),
        hostname=(remote.read(shell, HOSTNAME) or "").strip(),
    )
    files = {**_texts(shell, [config_file(found)]), **files}
    return replace(found, files=files, saved=_saved(shell, files))


def _texts(shell: Shell, paths: Iterable[str]) -> dict[str, str]:
    return {path: text for path in paths if path and (text := remote.read(shell, path)) is not None}


def _matching(shell: Shell, shown: str) -> tuple[str, ...]:
    """`shown`: "/etc/default/docker (ignore_errors=yes)", which becomes a leading "-"; the path may be a pattern."""
    path, _, ignore = shown.rpartition(" (ignore_errors=")
    pattern = re.search(r"[*?[]", path)
    paths = shell.run("sh", "-c", MATCHING, "imker", path, sudo=True).stdout.splitlines() if pattern else [path]
    return tuple(f"-{one}" if ignore.startswith("yes") else one for one in paths)


def _saved(shell: Shell, paths: Iterable[str]) -> dict[str, str]:
    """Imker's saved copy of each file, where there is one: of several the newest that still has options."""
    saved = {}
    for path in paths:
        texts = [remote.read(shell, copy) or "" for copy in reversed(remote.saved_copies(shell, path))]
        if texts:
            saved[path] = next(filter(assignments, texts), texts[0])
    return saved


def _changed_since_start(shell: Shell, options: OptionFiles, unit: dict[str, str]) -> bool:
    """Whether a file with options is younger than the daemon. Both by the host's own clock."""
    started = int(unit.get("ExecMainStartTimestampMonotonic") or 0) / 1e6
    now, uptime = shell.run("sh", "-c", CLOCKS).stdout.split()[:2]
    began = float(now) - float(uptime) + started
    times = shell.run("stat", "-c", "%.Y", "--", *options.files, sudo=True).stdout.split() if options.files else []
    return any(float(changed) > began for changed in times)


def _over_tls(about: Host, connect: Connect) -> tuple[SwarmPlace, str, bool]:
    try:
        engine = connect(about)
        return facts.place(engine.info()), str(engine.version["Version"]), True
    except (Unreachable, EngineRefused):
        return SwarmPlace(), "", False


def _place_by_command(shell: Shell) -> SwarmPlace:
    said = shell.run("docker", "info", "--format", "{{json .}}", sudo=True, check=False)
    try:
        return facts.place_of_text(said.stdout) if said.code == 0 else SwarmPlace()
    except (ValueError, TypeError, AttributeError, RecursionError) as strange:
        raise EngineRefused(f"{shell.host}'s docker info is none", host=shell.host) from strange


def _running_version(shell: Shell) -> str:
    said = shell.run("timeout", "10", "docker", "version", "--format", "{{.Server.Version}}", sudo=True, check=False)
    return said.stdout.strip() if said.code == 0 else ""


def containers(shell: Shell) -> tuple[facts.Container, ...]:
    ids = shell.run("docker", "ps", "-aq", sudo=True).stdout.split()
    return facts.containers(shell.run("docker", "inspect", *ids, sudo=True).stdout) if ids else ()


def wait_for(true: Callable[[], bool], seconds: float, pause: float = 0.5) -> bool:
    """Asks until it is true or the time is over. An edge that does not answer yet is a no."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if true():
                return True
        except (Unreachable, EngineRefused):
            pass
        time.sleep(pause)
    return False
