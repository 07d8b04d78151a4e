"""Simulate apt and dpkg of a host: candidate versions, and an upgrade that runs for a while as a transient unit."""

from collections.abc import Sequence

from lab.simulated.engine_versions import PACKAGE_VERSIONS, EngineAge, engine_version, major_minor
from lab.simulated.machine import APT_SOURCE_PATH, CONFFILE, NEW_CONFFILE_TEXT, OLD_CONFFILE_TEXT, Machine
from lab.simulated.parts import Package
from lab.simulated.units import Unit, Work


def offered_versions(age: EngineAge, source: str) -> dict[str, list[str]]:
    """Return package -> versions, newest first, of the components that an apt source names."""
    versions: dict[str, list[str]] = {}
    for component, packages in PACKAGE_VERSIONS[age].items():
        if any(component in line.split()[3:] for line in source.splitlines() if line.startswith("deb ")):
            for name, version in packages.items():
                versions[name] = [version, *versions.get(name, [])]
    return versions


def render_madison(versions_by_package: dict[str, list[str]], package: str) -> str:
    """Render the versions of a package as `apt-cache madison` prints them."""
    versions = versions_by_package.get(package, [])
    return "".join(f" {package} | {version} | http://packages.invalid bookworm Packages\n" for version in versions)


def is_older(version: str, than: str) -> bool:
    """Compare Engine versions, as far as the simulated ones differ."""
    return major_minor(engine_version(version)) < major_minor(engine_version(than))


CLI_BREAKS_OLDER = (27, 5)  # docker-cli since this version breaks older Engines
DOWNLOAD_UNIT = "imker-download.service"


def download_work(machine: Machine, source: str, requirements: Sequence[str]) -> Work:
    """Return the work of the download unit. `source`: the text of Docker's apt source. Only the archives change."""

    def work(unit: Unit) -> int:
        if not unit.wait(machine.world.pace.download):
            return 143
        available = offered_versions(machine.age, source)
        missing = [
            requirement
            for requirement in requirements
            if machine.apt_fails
            or _parse_requirement(requirement)[1] not in available.get(requirement.split("=")[0], [])
        ]
        if missing:
            unit.output.append(f"E: Failed to fetch {missing[0]}")
            return 100
        machine.archives.update(requirements)
        machine.world.history.record_event(machine.name, "downloaded", " ".join(requirements))
        return 0

    return work


def end_download(machine: Machine, unit: Unit) -> None:
    """End a download ahead, as the upgrade does first. Note its failure in the upgrade's output."""
    download = machine.units.get(DOWNLOAD_UNIT)
    if download is not None and download.active_state == "failed":
        unit.output += ["the packages were not downloaded ahead:", *download.output[-3:]]
        machine.units.reset_failed(DOWNLOAD_UNIT)
    machine.units.stop(DOWNLOAD_UNIT)


def upgrade_work(machine: Machine, requirements: Sequence[str]) -> Work:
    """Return the work of the upgrade unit. `requirements` are "name=version" each.

    Halfway through, packages are unpacked but not configured, as with dpkg.
    """

    def work(unit: Unit) -> int:
        end_download(machine, unit)
        _finish_configuration(machine)
        unit.output.append("Reading package lists...")
        if machine.apt_fails:
            unit.output.append("E: Failed to fetch http://packages.invalid  404  Not Found")
            return 100
        available = offered_versions(machine.age, machine.disk.texts.get(APT_SOURCE_PATH, ""))
        pending = [
            (name, version)
            for name, version in map(_parse_requirement, requirements)
            if not _is_installed(machine, name, version)
        ]
        for name, version in pending:
            if version not in available.get(name, []):
                unit.output.append(f"E: Version '{version}' for '{name}' was not found")
                return 100
        return _install_packages(machine, unit, pending) if pending else 0

    return work


def _install_packages(machine: Machine, unit: Unit, pending: Sequence[tuple[str, str]]) -> int:
    half = machine.world.pace.upgrade / 2
    if not unit.wait(half):
        return 143
    for name, version in pending:
        unit.output.append(f"Unpacking {name} ({version}) ...")
        machine.packages[name] = Package(version, "iU")
    _remove_broken_cli(machine)
    if not unit.wait(half):
        return 143
    _finish_configuration(machine)
    for name, version in pending:
        unit.output.append(f"Setting up {name} ({version}) ...")
        machine.world.history.record_event(machine.name, "installed", f"{name}={version}")
    return 0


def _remove_broken_cli(machine: Machine) -> None:
    """Remove docker-cli if it is newer than an Engine that it breaks, as Debian's does since 27.5."""
    cli = machine.packages.get("docker-cli")
    if cli and major_minor(engine_version(cli.version)) >= CLI_BREAKS_OLDER > major_minor(
        engine_version(machine.packages["docker.io"].version)
    ):
        del machine.packages["docker-cli"]


def _parse_requirement(requirement: str) -> tuple[str, str]:
    name, _, version = requirement.partition("=")
    return name, version


def _is_installed(machine: Machine, name: str, version: str) -> bool:
    package = machine.packages.get(name)
    return package is not None and package.version == version


def _finish_configuration(machine: Machine) -> None:
    """Configure half-configured packages and install the maintainer's conffile. Does not restart the daemon."""
    with machine.lock:
        for name, package in machine.packages.items():
            if package.state == "iU":
                package.state = "ii"
                if name == "docker.io":
                    _replace_conffile(machine, engine_version(package.version))


def _replace_conffile(machine: Machine, version: str) -> None:
    """Install the package's conffile if the new version ships a different one, as dpkg does."""
    shipped = NEW_CONFFILE_TEXT if version.startswith("26") else OLD_CONFFILE_TEXT
    text = machine.disk.texts.get(CONFFILE, "")
    if shipped != text and (shipped == NEW_CONFFILE_TEXT or text == NEW_CONFFILE_TEXT):
        machine.disk.write(f"{CONFFILE}.dpkg-old", text)
        machine.disk.write(CONFFILE, shipped)
