"""Read the identity of the machine that this process runs on."""

from functools import cache
from pathlib import Path

from jobs.facts.machine import MachineIdentity

MACHINE_ID, BOOT_ID = Path("/etc/machine-id"), Path("/proc/sys/kernel/random/boot_id")
CONTAINER_MARKS = (Path("/.dockerenv"), Path("/run/.containerenv"))  # Docker's and Podman's


@cache
def read_own_machine() -> MachineIdentity:
    """Return the identity. It does not change while this process runs."""
    return MachineIdentity(_read(MACHINE_ID), _read(BOOT_ID), any(mark.exists() for mark in CONTAINER_MARKS))


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
