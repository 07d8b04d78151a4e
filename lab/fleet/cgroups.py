"""What belongs to the lab is found by its group, in every hierarchy that is mounted, also when the lab was killed.

A group has a host's name, or that of the base's build; names go in and processes end.
"""

import contextlib
import os
import signal
import time
from pathlib import Path

LAB_GROUP = "imker-lab"
END_TIMEOUT = 30  # seconds that processes may take to end


def parse_hierarchies(mounts: str) -> list[Path]:
    """Of /proc/self/mounts: every hierarchy of version 1, and that of version 2, wherever it is."""
    lines = (line.split() for line in mounts.splitlines())
    return [Path(words[1]) for words in lines if words[2] in ("cgroup", "cgroup2")]


def join_prefix(name: str) -> tuple[str, ...]:
    """The words before an argv that make it run in the group, which is made; none for no name."""
    if not name:
        return ()
    joins = "".join(f"echo $$ > {group}/cgroup.procs; " for group in _create_groups(name))
    return ("sh", "-c", f'{joins}exec "$@"', "sh")


def group_names() -> set[str]:
    """Of all groups there are."""
    return {group.name for lab in _lab_groups() for group in lab.iterdir() if group.is_dir()}


def kill_group(name: str) -> None:
    """Ends all that runs in the group, and waits for it."""
    deadline = time.monotonic() + END_TIMEOUT
    while (pids := _live_pids(name)) and time.monotonic() < deadline:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


def remove_group(name: str) -> None:
    """The group, and that of all groups when it was the last; one that is not empty stays."""
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
    """A new cpuset of version 1 is empty, and takes no process until it has processors and memory."""
    for file in ("cpuset.cpus", "cpuset.mems"):
        if (group / file).exists() and not (group / file).read_text().strip():
            (group / file).write_text((group.parent / file).read_text())


def _live_pids(name: str) -> set[int]:
    pids: set[int] = set()
    for lab in _lab_groups():
        # os.walk passes over what goes while it looks: a dying host takes its groups away one by one.
        for folder, _, _ in os.walk(lab / name):
            try:
                pids |= {int(line) for line in (Path(folder) / "cgroup.procs").read_text().split()}
            except OSError:
                continue  # the group went while we looked
    return {pid for pid in pids if not _has_ended(pid)}


def _has_ended(pid: int) -> bool:
    """A zombie has ended: only its parent has not looked yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True
