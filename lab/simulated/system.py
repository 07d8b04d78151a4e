"""Files, units and packages of a simulated host, as its own tools tell of them and change them."""

import math
import time

from lab.simulated.machine import Machine
from lab.simulated.said import Said

UNITS = ("docker.service", "docker.socket")


def nothing(machine: Machine, rest: list[str], stdin: str) -> Said:
    return Said()


def cat(machine: Machine, rest: list[str], stdin: str) -> Said:
    path = rest[0]
    text = _proc(machine, path) if path.startswith("/proc/") else machine.disk.texts.get(path)
    return Said(1, "", f"cat: {path}: No such file or directory\n") if text is None else Said(0, text)


def _proc(machine: Machine, path: str) -> str | None:
    daemon = machine.dockerd
    if daemon.version and path == f"/proc/{daemon.pid}/cmdline":
        return "".join(f"{word}\0" for word in daemon.command_line)
    return None


def clocks(machine: Machine, rest: list[str], stdin: str) -> Said:
    """The wall clock's time, and the uptime, of which the kernel leaves out what is less than a hundredth."""
    now = time.time()
    return Said(0, f"{now:.9f}\n{math.floor((now - machine.booted) * 100) / 100:.2f} 0.00\n")


def stat(machine: Machine, rest: list[str], stdin: str) -> Said:
    missing = [path for path in rest if path not in machine.disk.texts]
    lines = "".join(f"{machine.disk.changed[path]:.9f}\n" for path in rest if path not in missing)
    return Said(1 if missing else 0, lines, "".join(f"stat: cannot statx '{path}'\n" for path in missing))


def remove(machine: Machine, rest: list[str], stdin: str) -> Said:
    for path in rest:
        machine.disk.remove(path)
    return Said()


def add_to_docker(machine: Machine, rest: list[str], stdin: str) -> Said:
    machine.groups.add("docker")
    return Said()


# --- units ---------------------------------------------------------------------------------------------------------


def show(machine: Machine, rest: list[str], stdin: str) -> Said:
    name, keys = rest[0], [word.removeprefix("-p") for word in rest[1:]]
    facts = _docker_service(machine) if name == "docker.service" else _transient(machine, name)
    return Said(0, "".join(f"{key}={facts.get(key, '')}\n" for key in keys))


def _docker_service(machine: Machine) -> dict[str, str]:
    daemon, unit = machine.dockerd, machine.dockerd.unit()
    files = [
        f"{file.lstrip('-')} (ignore_errors={'yes' if file.startswith('-') else 'no'})"
        for file in unit.environment_files
    ]
    since_boot = int((daemon.started - machine.booted) * 1e6)
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


def _transient(machine: Machine, name: str) -> dict[str, str]:
    unit = machine.units.get(name)
    if unit is None:
        return {"LoadState": "not-found", "ActiveState": "inactive", "SubState": "dead", "ExecMainStatus": "0"}
    return {
        "LoadState": "loaded",
        "Description": unit.about,
        "ActiveState": unit.active,
        "SubState": unit.sub,
        "ExecMainStatus": str(unit.code),
    }


def stop(machine: Machine, rest: list[str], stdin: str) -> Said:
    missing = [name for name in rest if not machine.units.stop(name)]
    return Said(5, "", f"Failed to stop {missing[0]}: Unit {missing[0]} not loaded.\n") if missing else Said()


def reset_failed(machine: Machine, rest: list[str], stdin: str) -> Said:
    missing = [name for name in rest if name not in UNITS and not machine.units.reset_failed(name)]
    return Said(1, "", f"Failed to reset failed state of unit {missing[0]}\n") if missing else Said()


def restart(machine: Machine, rest: list[str], stdin: str) -> Said:
    """A unit of docker-machine's own has no Type=notify: systemd then counts a daemon that dies at once as started."""
    runs = machine.dockerd.restart()
    own = machine.dockerd.unit().fragment_path.startswith("/etc/")
    return Said() if runs or own else Said(1, "", "Job for docker.service failed.\n")


def journal(machine: Machine, rest: list[str], stdin: str) -> Said:
    name, number = rest[0], int(rest[rest.index("-n") + 1])
    unit = machine.units.get(name)
    lines = unit.output if unit else machine.journal.get(name, [])
    return Said(0, "".join(f"{line}\n" for line in lines[-number:]))


# --- packages ------------------------------------------------------------------------------------------------------


def dpkg_query(machine: Machine, rest: list[str], stdin: str) -> Said:
    """With the one format that is asked for: status, name, version."""
    names = rest[rest.index("-f") + 2 :]
    known = {name: machine.packages[name] for name in names if name in machine.packages}
    lines = "".join(f"{package.state} |{name}|{package.version}\n" for name, package in known.items())
    return Said(0 if len(known) == len(names) else 1, lines, "dpkg-query: no packages found\n" if not known else "")


def dpkg_audit(machine: Machine, rest: list[str], stdin: str) -> Said:
    """Words of dpkg's own about each package that is not finished."""
    held = [name for name, package in machine.packages.items() if package.state != "ii"]
    return Said(0, f"The following packages have been unpacked but not yet configured.\n {held}\n" if held else "")
