"""Commands and folders on this machine, with errors a person can read."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from lab.fleet import cgroups

CACHE_DIR, STATE_DIR = Path("/var/cache/imker-lab"), Path("/var/lib/imker-lab")
Say = Callable[[str], None]


class LabError(Exception):
    """What the lab cannot do here, in one line."""


def sh(*argv: str | Path, stdin: str = "", check: bool = True, cwd: Path | None = None, group: str = "") -> str:
    """Runs argv, in a group if one is named; returns what it printed. Raises LabError with its errors' last lines."""
    words = [*cgroups.join_prefix(group), *map(str, argv)]
    result = subprocess.run(words, input=stdin, capture_output=True, text=True, cwd=cwd)
    if check and result.returncode:
        tail = " / ".join((result.stderr or result.stdout).strip().splitlines()[-3:])
        raise LabError(f"{Path(argv[0]).name} failed ({result.returncode}): {tail}")
    return result.stdout


def launch_detached(*argv: str, output: Path, group: str = "") -> None:
    """Starts a process that outlives this one, in a session of its own; what it says goes to a file."""
    words = ["setsid", "--fork", *cgroups.join_prefix(group), *argv]
    with output.open("ab") as log:
        subprocess.run(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=True)


def remove_tree(folder: Path) -> None:
    """A folder, and before it whatever is mounted below."""
    for target in reversed(_mounts_below(folder)):
        sh("umount", "-l", target, check=False)
    if not _mounts_below(folder):
        shutil.rmtree(folder, ignore_errors=True)


def _mounts_below(folder: Path) -> list[str]:
    mount_points = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    return [target for target in mount_points if target.startswith(f"{folder}/")]
