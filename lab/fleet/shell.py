"""Commands and folders on this machine, with readable errors."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from lab.fleet import cgroups

CACHE_DIR, STATE_DIR = Path("/var/cache/imker-lab"), Path("/var/lib/imker-lab")
Say = Callable[[str], None]


class LabError(Exception):
    """An error of the lab, described in one line."""


def sh(*argv: str | Path, stdin: str = "", check: bool = True, cwd: Path | None = None, group: str = "") -> str:
    """Run a command, optionally in a cgroup, and return its output.

    Raises LabError with the last lines of its errors.
    """
    words = [*cgroups.join_prefix(group), *map(str, argv)]
    result = subprocess.run(words, input=stdin, capture_output=True, text=True, cwd=cwd)
    if check and result.returncode:
        tail = " / ".join((result.stderr or result.stdout).strip().splitlines()[-3:])
        raise LabError(f"{Path(argv[0]).name} failed ({result.returncode}): {tail}")
    return result.stdout


def launch_detached(*argv: str, output: Path, group: str = "") -> None:
    """Start a process that outlives this one, in its own session. Its output goes to a file."""
    words = ["setsid", "--fork", *cgroups.join_prefix(group), *argv]
    with output.open("ab") as log:
        subprocess.run(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=True)


def remove_tree(folder: Path) -> None:
    """Unmount everything below a folder, then remove it."""
    for target in reversed(_mounts_below(folder)):
        sh("umount", "-l", target, check=False)
    if not _mounts_below(folder):
        shutil.rmtree(folder, ignore_errors=True)


def _mounts_below(folder: Path) -> list[str]:
    mount_points = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    return [target for target in mount_points if target.startswith(f"{folder}/")]
