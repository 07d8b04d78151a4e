"""Simulate the tools of a host that show and change files, units, and packages."""

import math
import time

from lab.simulated.machine import Machine
from lab.simulated.output import Output


def do_nothing(machine: Machine, rest: list[str], stdin: str) -> Output:
    return Output()


def print_file(machine: Machine, rest: list[str], stdin: str) -> Output:
    path = rest[0]
    text = machine.disk.texts.get(path, _system_file(machine, path))
    return Output(1, "", f"cat: {path}: No such file or directory\n") if text is None else Output(0, text)


def _system_file(machine: Machine, path: str) -> str | None:
    """Return a file that the kernel or systemd provides."""
    return {
        "/etc/machine-id": f"{machine.machine_id}\n",
        "/proc/sys/kernel/random/boot_id": f"{machine.boot_id}\n",
        "/proc/1/comm": "systemd\n",
        "/proc/net/ip_tables_names": "",
        "/proc/sys/kernel/hostname": f"{machine.name}\n",
    }.get(path)


def print_command_line(machine: Machine, rest: list[str], stdin: str) -> Output:
    """Print the running daemon's arguments, each with a zero byte."""
    daemon = machine.dockerd
    return Output(0, "".join(f"{word}\0" for word in daemon.command_line)) if daemon.version else Output(1)


def print_clocks(machine: Machine, rest: list[str], stdin: str) -> Output:
    """Print the wall clock and the uptime, which the kernel truncates to hundredths of a second."""
    now = time.time()
    return Output(0, f"{now:.9f}\n{math.floor((now - machine.booted_at) * 100) / 100:.2f} 0.00\n")


def remove_files(machine: Machine, rest: list[str], stdin: str) -> Output:
    for path in rest:
        machine.disk.remove(path)
    return Output()


def add_to_docker(machine: Machine, rest: list[str], stdin: str) -> Output:
    machine.groups.add("docker")
    return Output()


# --- units ---------------------------------------------------------------------------------------------------------


def show_unit(machine: Machine, rest: list[str], stdin: str) -> Output:
    name, keys = rest[0], [word.removeprefix("-p") for word in rest[1:]]
    facts = _docker_properties(machine) if name == "docker.service" else _transient_properties(machine, name)
    return Output(0, "".join(f"{key}={facts.get(key, '')}\n" for key in keys))


def _docker_properties(machine: Machine) -> dict[str, str]:
    daemon, unit = machine.dockerd, machine.dockerd.unit_facts()
    files = [
        f"{file.lstrip('-')} (ignore_errors={'yes' if file.startswith('-') else 'no'})"
        for file in unit.environment_files
    ]
    since_boot = int((daemon.started_at - machine.booted_at) * 1e6)
    return {
        "LoadState": "loaded",
        "FragmentPath": unit.fragment_path,
        "DropInPaths": " ".join(unit.drop_in_paths),
        "EnvironmentFiles": "\nEnvironmentFiles=".join(files),
        "ExecMainStartTimestampMonotonic": str(since_boot if daemon.version else 0),
        "MainPID": str(daemon.pid if daemon.version else 0),
        "ActiveState": "active" if daemon.version else "failed",
        "SubState": "running" if daemon.version else "failed",
        "ExecMainStatus": "0" if daemon.version else "1",
    }


def _transient_properties(machine: Machine, name: str) -> dict[str, str]:
    unit = machine.units.get(name)
    if unit is None:
        return {"LoadState": "not-found", "ActiveState": "inactive", "SubState": "dead", "ExecMainStatus": "0"}
    return {
        "LoadState": "loaded",
        "Description": unit.description,
        "ActiveState": unit.active_state,
        "SubState": unit.sub_state,
        "ExecMainStatus": str(unit.exit_status),
    }


def print_journal(machine: Machine, rest: list[str], stdin: str) -> Output:
    name, number = rest[0], int(rest[rest.index("-n") + 1])
    unit = machine.units.get(name)
    lines = unit.output if unit else machine.journal.get(name, [])
    return Output(0, "".join(f"{line}\n" for line in lines[-number:]))


# --- packages ------------------------------------------------------------------------------------------------------


def dpkg_query(machine: Machine, rest: list[str], stdin: str) -> Output:
    """Print status, name, and version: the only supported format."""
    names = rest[rest.index("-f") + 2 :]
    packages = {name: machine.packages[name] for name in names if name in machine.packages}
    lines = "".join(f"{package.state} |{name}|{package.version}\n" for name, package in packages.items())
    return Output(
        0 if len(packages) == len(names) else 1, lines, "dpkg-query: no packages found\n" if not packages else ""
    )


def list_packages(machine: Machine, rest: list[str], stdin: str) -> Output:
    """Print the rows of all packages, of which a host prints the interesting ones."""
    rows = (f"{package.state} |{name}|{package.version}\n" for name, package in machine.packages.items())
    return Output(0, "".join(rows))


def dpkg_audit(machine: Machine, rest: list[str], stdin: str) -> Output:
    """Print a message for each unfinished package, as dpkg does."""
    unfinished = [name for name, package in machine.packages.items() if package.state != "ii"]
    return Output(
        0, f"The following packages have been unpacked but not yet configured.\n {unfinished}\n" if unfinished else ""
    )
