"""Scripts that run on a simulated host: recognized by a part of their text, with their effect on its state."""

import itertools

from lab.simulated import apt
from lab.simulated.machine import APT_SOURCE_PATH, Machine
from lab.simulated.output import Output
from lab.simulated.units import Unit, Work

UPGRADE_MARKER, LISTEN_MARKER = "apt-get -q install", "IO::Select"


def show_candidates(machine: Machine, rest: list[str], stdin: str) -> Output:
    """Return the packages' versions, then the versions of the first package older than the installed one."""
    if machine.apt_fails:
        return Output(100, "", "E: Failed to fetch http://packages.invalid  404  Not Found\n")
    _, _, has_source, installed, *packages = rest
    versions_by_package = apt.offered_versions(
        machine.age, stdin if has_source else machine.disk.texts.get(APT_SOURCE_PATH, "")
    )
    older_versions = (
        candidate for candidate in versions_by_package.get(packages[0], []) if apt.is_older(candidate, installed)
    )
    madison = "".join(apt.render_madison(versions_by_package, package) for package in packages)
    return Output(0, f"{madison}==\n" + "".join(f"{version}\n" for version in older_versions))


def start_or_replace_unit(machine: Machine, rest: list[str], stdin: str) -> Output:
    """Start a unit. If there is one of its name, remove that first."""
    _, _, unit, _, *options = rest
    machine.units.stop(unit)
    machine.units.reset_failed(unit)
    return start_transient_unit(machine, options, stdin)


def start_download(machine: Machine, rest: list[str], stdin: str) -> Output:
    """Start the unit that downloads packages, unless it is running."""
    _, _, unit_name, has_source, _, *packages = rest
    source = stdin if has_source else machine.disk.texts.get(APT_SOURCE_PATH, "")
    machine.units.reset_failed(unit_name)
    machine.units.start(unit_name, apt.download_work(machine, source, packages), "", remains=False)
    return Output()


# --- transient units and Perl programs ------------------------------------------------------------------------------


def start_transient_unit(machine: Machine, rest: list[str], stdin: str) -> Output:
    settings = dict(word.removeprefix("--").split("=", 1) for word in rest if word.startswith("--") and "=" in word)
    name, description = settings["unit"], settings.get("description", "")
    argv = [word.replace("$$", "$") for word in itertools.dropwhile(lambda word: word.startswith("--"), rest)]
    work = _unit_work(machine, argv)
    if work is None:
        machine.world.history.record_unknown(machine.name, f"systemd-run {' '.join(argv)[:200]}")
        return Output(127, "", "no such program on a simulated host\n")
    if not machine.units.start(name, work, description):
        return Output(1, "", f"Failed to start transient service unit: Unit {name} was already loaded.\n")
    machine.world.history.record_event(machine.name, "unit started", name)
    return Output(0, "", f"Running as unit: {name}\n")


def _unit_work(machine: Machine, argv: list[str]) -> Work | None:
    if argv[:2] == ["sh", "-c"] and UPGRADE_MARKER in argv[2]:
        return apt.upgrade_work(machine, argv[4:])
    if argv[:2] == ["perl", "-e"] and LISTEN_MARKER in argv[2] and "Listen" in argv[2]:
        return _listen_work(argv[3])
    return None


def _listen_work(word: str) -> Work:
    """Return the work of a listener that sends its word to every client for 120 s."""

    def work(unit: Unit) -> int:
        unit.output.append(word)
        unit.wait(120)
        return 0

    return work


def probe_ports(machine: Machine, rest: list[str], stdin: str) -> Output:
    """Probe ports, given as `kind,address,port`.

    The result is "open" if a listener sends the word, "taken" by an Engine in the swarm, or "closed".
    """
    word, targets = rest[1], [target.split(",") for target in rest[2:]]
    lines = (
        f"{kind},{address},{port} {_port_state(machine, word, address, port)}\n" for kind, address, port in targets
    )
    return Output(0, "".join(lines))


def _port_state(machine: Machine, word: str, address: str, port: str) -> str:
    world = machine.world
    target = next(
        (
            machine_at
            for machine_at in world.machines.values()
            if address in (machine_at.lab_host.address, machine_at.second)
        ),
        None,
    )
    if target is None or not target.is_up or target.silent.is_set():
        return "closed"
    node = world.swarm.node_of(target)
    if node is not None and target.dockerd.version and (port != "2377" or node.role == "manager"):
        return "taken"
    unit = target.units.get("imker-probe.service")
    return "open" if unit and unit.sub_state == "running" and word in unit.output else "closed"
