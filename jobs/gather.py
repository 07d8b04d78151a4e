"""Reads a host and the swarm. Changes nothing.

In: a shell, an Engine, the inventory. Out: the values of jobs.facts. What the output means is read there, not here.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import PurePosixPath
from typing import Protocol

from jobs import facts, remote
from jobs.daemon_options import OptionFiles, UnitFacts, assignments, effective
from jobs.engine import Engine
from jobs.errors import CommandFailed, EngineRefused, JobError, Unreachable
from jobs.facts import HostFacts, Node, Package, SwarmFacts, SwarmPlace
from jobs.inventory import Host, Inventory
from jobs.preflight import conditions
from jobs.settings import EngineSection
from jobs.sources import switched
from jobs.ssh import Shell


class Connect(Protocol):
    """Engine itself, or a stand-in of the tests. `timeout`: seconds for each call."""

    def __call__(self, host: Host, timeout: float = 10) -> Engine: ...


ENGINE_PACKAGES = ("docker-ce", "docker.io", "docker-engine")
ALWAYS_READ = ("/etc/default/docker", "/etc/docker/daemon.json")
UNIT = ("FragmentPath", "DropInPaths", "EnvironmentFiles", "ExecMainStartTimestampMonotonic", "MainPID", "ActiveState")
WITHOUT = {  # LocalNodeState -> why a host that is in a swarm does not show it
    "locked": "is locked: give it the swarm's key there, docker swarm unlock",
    "error": "cannot go on in its swarm, as when its certificate has ended (docker info); or there: docker swarm leave",
    "pending": "is still joining, and its manager does not answer: bring that back; or there: docker swarm leave",
}
# Fresh lists in a folder of its own, so that asking for candidates changes nothing on the host.
CANDIDATES = """
set -e
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"; cat > "$dir/sources.list"
ask() { tool=$1; shift; "$tool" -o Dir::Etc::sourcelist="$dir/sources.list" -o Dir::Etc::sourceparts=- \\
  -o Dir::State::lists="$dir/lists" -o Dir::Cache="$dir/cache" -o APT::Update::Error-Mode=any "$@"; }
ask apt-get -qq update >&2
for package; do ask apt-cache madison "$package"; echo ==; done
"""


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
        package=_package(shell, source, engine),
        source=source,
        upgrade=remote.unit_state(shell, remote.UPGRADE).active,
        options=options,
        containers=containers(shell) if running else (),
        ran=None if ran is None else tuple(ran.split()),
        begun=remote.read(shell, remote.BEFORE) is not None,
        place=place if api or not running else _place_by_command(shell),
        conditions=_conditions(shell, about, options),
    )


def _conditions(shell: Shell, about: Host, options: OptionFiles) -> conditions.Conditions:
    certificate = next((option.value for option in effective(options) if option.name == "tlscert"), "")
    began = time.time()
    said = shell.run("sh", "-c", conditions.SCRIPT, "imker", about.ssh_user, certificate, sudo=True, timeout=120)
    # The clock is asked first: what comes after it must not count as the way there.
    return conditions.read(said.stdout, began)


def swarm(inventory: Inventory, connect: Connect) -> SwarmFacts:
    """Asks every host for its place, then the managers in turn for the nodes, until one answers."""
    with ThreadPoolExecutor(max_workers=16) as pool:
        places = dict(zip(inventory, pool.map(lambda about: _place(about, connect), inventory.values()), strict=True))
    silent = tuple(name for name, place in places.items() if place is None)
    managers = tuple(name for name, place in places.items() if place and place.manager)
    problem = ""
    for name in managers:
        try:
            engine = connect(inventory[name])
            nodes, asked_first = node_list(engine), (name, *(other for other in managers if other != name))
            return SwarmFacts(name, nodes, asked_first, silent, autolock=engine.autolock())
        except JobError as failed:
            problem = failed.summary
    inside = {name: place.state for name, place in places.items() if place and place.state not in ("", "inactive")}
    if inside and not managers:
        problem = _without_manager(inside)
    return SwarmFacts(managers=managers, silent=silent, problem=problem)


def _without_manager(inside: Mapping[str, str]) -> str:
    """`inside`: host -> LocalNodeState. There is a swarm: nobody is to start a second because this one cannot speak."""
    told = [f"{name} {WITHOUT[state]}" for name, state in inside.items() if state in WITHOUT]
    return "; ".join(told) or (
        "only workers answer: this node is not a swarm manager, and only managers can show or change the swarm"
    )


def node_list(engine: Engine) -> tuple[Node, ...]:
    return tuple(sorted(map(facts.node, engine.nodes()), key=lambda node: (node.hostname, node.id)))


def _place(about: Host, connect: Connect) -> SwarmPlace | None:
    try:
        return facts.place(connect(about).info())
    except (Unreachable, EngineRefused):
        return None


def _check_sudo(shell: Shell, about: Host) -> None:
    try:
        shell.run("true", sudo=True)
    except CommandFailed as refused:
        hint = f"Give {about.ssh_user} passwordless sudo on {about.name}: a file in /etc/sudoers.d."
        raise Unreachable(
            f"{about.ssh_user} may not use sudo on {about.name} without a password", host=about.name, hint=hint
        ) from refused


def options(shell: Shell) -> OptionFiles:
    """The daemon's options as they stand on disk now."""
    return _options(shell, _unit(shell))


def _unit(shell: Shell) -> dict[str, str]:
    return facts.properties(shell.run("systemctl", "show", "docker.service", *(f"-p{name}" for name in UNIT)).stdout)


def _options(shell: Shell, unit: dict[str, str]) -> OptionFiles:
    environment = tuple(part for part in unit.get("EnvironmentFiles", "").split() if part.startswith(("/", "-/")))
    drop_ins = tuple(unit.get("DropInPaths", "").split())
    fragment = unit.get("FragmentPath", "")
    paths = dict.fromkeys((fragment, *drop_ins, *(path.lstrip("-") for path in environment), *ALWAYS_READ))
    files = {path: text for path in paths if path and (text := remote.read(shell, path)) is not None}
    pid = unit.get("MainPID", "0")
    line = remote.read(shell, f"/proc/{pid}/cmdline") if pid != "0" else None
    return OptionFiles(
        unit=UnitFacts(fragment, drop_ins, environment),
        files=files,
        command_line=tuple((line or "").split("\0")[:-1]),
        saved=_saved(shell, files),
    )


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
    now, uptime = shell.run("date", "+%s.%N").stdout, shell.run("cat", "/proc/uptime").stdout
    began = float(now) - float(uptime.split()[0]) + started
    times = shell.run("stat", "-c", "%.Y", "--", *options.files, sudo=True).stdout.split() if options.files else []
    return any(float(changed) > began for changed in times)


def _package(shell: Shell, source: str, engine: EngineSection) -> Package | None:
    names = (engine.package,) if engine.package else ENGINE_PACKAGES
    present = [row for row in remote.packages(shell, *names) if not row[0].startswith(("un", "rc"))]
    if not present:
        return None
    state, name, version = present[0]
    candidates, cli = _candidates(shell, name, switched(source, engine.apt_component), str(engine.apt_list))
    return Package(name, version, state, candidates, cli)


def _candidates(shell: Shell, name: str, source: str, path: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if not source:
        return tuple(facts.madison(shell.run("apt-cache", "madison", one).stdout) for one in (name, "docker-cli"))  # type: ignore[return-value]
    try:
        said = shell.run("sh", "-c", CANDIDATES, "imker", name, "docker-cli", stdin=source, timeout=180).stdout
    except CommandFailed as failed:
        hint = f"See {PurePosixPath(path).name} on {shell.host}: is the repository there?"
        raise CommandFailed(
            shell.host, "asking apt for the new Engine", failed.code, failed.stderr, hint=hint
        ) from failed
    first, second = said.split("==\n")[:2]
    return facts.madison(first), facts.madison(second)


def _over_tls(about: Host, connect: Connect) -> tuple[SwarmPlace, str, bool]:
    try:
        engine = connect(about)
        return facts.place(engine.info()), str(engine.version["Version"]), True
    except (Unreachable, EngineRefused):
        return SwarmPlace(), "", False


def _place_by_command(shell: Shell) -> SwarmPlace:
    said = shell.run("docker", "info", "--format", "{{json .}}", sudo=True, check=False)
    return facts.place_of_text(said.stdout) if said.code == 0 else SwarmPlace()


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
