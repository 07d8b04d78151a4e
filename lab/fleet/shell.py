"""Commands on this machine, with errors a person can read."""

import subprocess
from pathlib import Path

CACHE, STATE = Path("/var/cache/imker-lab"), Path("/var/lib/imker-lab")


class LabError(Exception):
    """What the lab cannot do here, in one line."""


def sh(*argv: str | Path, stdin: str = "", check: bool = True, cwd: Path | None = None) -> str:
    """Runs argv, returns what it printed. Raises LabError with the last lines of its errors."""
    done = subprocess.run(list(map(str, argv)), input=stdin, capture_output=True, text=True, cwd=cwd)
    if check and done.returncode:
        tail = " / ".join((done.stderr or done.stdout).strip().splitlines()[-3:])
        raise LabError(f"{Path(argv[0]).name} failed ({done.returncode}): {tail}")
    return done.stdout


def launch(*argv: str, output: Path) -> None:
    """Starts a process that outlives this one, in a session of its own; what it says goes to a file."""
    with output.open("ab") as log:
        subprocess.run(["setsid", "--fork", *argv], stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=True)
