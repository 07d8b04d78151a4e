"""Cgroups that contain all processes of the lab, so that they can be found after the lab was killed.

A group is named after its host or the build of the base. Every mounted hierarchy is used.
"""

import contextlib
import os
import signal
import time
from pathlib import Path

LAB_GROUP = "imker-lab"
END_TIMEOUT = 30  # seconds that processes get to exit


def parse_hierarchies(mounts: str) -> list[Path]:
    """Return the cgroup hierarchies in /proc/self/mounts: all of version 1, and version 2 wherever it is mounted."""
    lines = (line.split() for line in mounts.splitlines())
    return [Path(words[1]) for words in lines if words[2] in ("cgroup", "cgroup2")]


def join_prefix(name: str) -> tuple[str, ...]:
    """Return the words that run a command in the group, which is created. None for an empty name."""
    if not name:
        return ()
    joins = "".join(f"echo $$ > {group}/cgroup.procs; " for group in _create_groups(name))
    return ("sh", "-c", f'{joins}exec "$@"', "sh")


def group_names() -> set[str]:
    """Return the names of all groups."""
    return {group.name for lab in _lab_groups() for group in lab.iterdir() if group.is_dir()}


def kill_group(name: str) -> None:
    """Kill all processes of the group and wait until they have exited."""
    deadline = time.monotonic() + END_TIMEOUT
    while (pids := _live_pids(name)) and time.monotonic() < deadline:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


def remove_group(name: str) -> None:
    """Remove the group, and the parent after the last one. A group with processes stays."""
    for lab in _lab_groups():
        for folder, _, _ in os.walk(lab / name, topdown=False):
            with contextlib.suppress(OSError):
                Path(folder).rmdir()
        with contextlib.suppress(OSError):
            lab.rmdir()


def _lab_groups() -> list[Path]:
    folders = (hierarchy / LAB_GROUP for hierarchy in parse_hierarchies(Path("/proc/self/mounts").read_text()))
    return [folder for folder in folders if folder.exists()]


def _create_groups(name: str) -> list[Path]:
    groups = [hierarchy / LAB_GROUP / name for hierarchy in parse_hierarchies(Path("/proc/self/mounts").read_text())]
    for group in groups:
        for folder in (group.parent, group):
            folder.mkdir(exist_ok=True)
            _inherit_cpuset(folder)
    return groups


def _inherit_cpuset(group: Path) -> None:
    """Copy the parent's processors and memory: a new cpuset of version 1 has none and accepts no process."""
    for file in ("cpuset.cpus", "cpuset.mems"):
        if (group / file).exists() and not (group / file).read_text().strip():
            (group / file).write_text((group.parent / file).read_text())


def _live_pids(name: str) -> set[int]:
    pids: set[int] = set()
    for lab in _lab_groups():
        # os.walk ignores folders that vanish: a dying host removes its groups one by one.
        for folder, _, _ in os.walk(lab / name):
            try:
                pids |= {int(line) for line in (Path(folder) / "cgroup.procs").read_text().split()}
            except OSError:
                continue  # the group was removed meanwhile
    return {pid for pid in pids if not _has_ended(pid)}


def _has_ended(pid: int) -> bool:
    """Return whether a process has exited. A zombie counts as exited."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True
