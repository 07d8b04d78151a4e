"""apt and dpkg on a simulated host: what they offer, and an upgrade that takes a while, as a transient unit."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lab.simulated.dialect import OFFERED, Age, engine_of, number
from lab.simulated.machine import CONFFILE, MAINTAINERS, NEWER, SOURCE, Package
from lab.simulated.units import Unit, Work

if TYPE_CHECKING:
    from lab.simulated.machine import Machine


def offered(age: Age, source: str) -> dict[str, list[str]]:
    """Package -> versions, newest first, of the components that a source's text names."""
    found: dict[str, list[str]] = {}
    for component, packages in OFFERED[age].items():
        if any(component in line.split()[3:] for line in source.splitlines() if line.startswith("deb ")):
            for name, version in packages.items():
                found[name] = [version, *found.get(name, [])]
    return found


def madison(offered: dict[str, list[str]], package: str) -> str:
    versions = offered.get(package, [])
    return "".join(f" {package} | {version} | http://packages.invalid bookworm Packages\n" for version in versions)


def older(version: str, than: str) -> bool:
    """By the Engine's version, as far as the simulated ones differ."""
    return number(engine_of(version)) < number(engine_of(than))


def upgrade(machine: "Machine", wanted: Sequence[str]) -> Work:
    """`wanted`: "name=version" each. Half-way the package is unpacked and not configured, as dpkg leaves it."""

    def work(unit: Unit) -> int:
        _finish(machine)
        unit.output.append("Reading package lists...")
        if machine.apt_fails:
            unit.output.append("E: Failed to fetch http://packages.invalid  404  Not Found")
            return 100
        known = offered(machine.age, machine.disk.texts.get(SOURCE, ""))
        fresh = [(name, version) for name, version in map(_split, wanted) if not _installed(machine, name, version)]
        for name, version in fresh:
            if version not in known.get(name, []):
                unit.output.append(f"E: Version '{version}' for '{name}' was not found")
                return 100
        return _install(machine, unit, fresh) if fresh else 0

    return work


def _install(machine: "Machine", unit: Unit, fresh: Sequence[tuple[str, str]]) -> int:
    half = machine.world.pace.upgrade / 2
    if not unit.pause(half):
        return 143
    for name, version in fresh:
        unit.output.append(f"Unpacking {name} ({version}) ...")
        machine.packages[name] = Package(version, "iU")
    if not unit.pause(half):
        return 143
    _finish(machine)
    for name, version in fresh:
        unit.output.append(f"Setting up {name} ({version}) ...")
        machine.world.history.note(machine.name, "installed", f"{name}={version}")
    return 0


def _split(word: str) -> tuple[str, str]:
    name, _, version = word.partition("=")
    return name, version


def _installed(machine: "Machine", name: str, version: str) -> bool:
    package = machine.packages.get(name)
    return package is not None and package.version == version


def _finish(machine: "Machine") -> None:
    """What is half-configured is finished, the maintainer's conffile taken. The daemon is not restarted."""
    with machine.lock:
        for name, package in machine.packages.items():
            if package.state == "iU":
                package.state = "ii"
                if name == "docker.io":
                    _conffile(machine, engine_of(package.version))


def _conffile(machine: "Machine", version: str) -> None:
    """The newer package's own file differs from the older's: that is when dpkg takes the maintainer's."""
    shipped = NEWER if version.startswith("26") else MAINTAINERS
    text = machine.disk.texts.get(CONFFILE, "")
    if shipped != text and (shipped == NEWER or text == NEWER):
        machine.disk.write(f"{CONFFILE}.dpkg-old", text)
        machine.disk.write(CONFFILE, shipped)
