"""Take timestamps that survive changes of the system clock.

The wall clock jumps when someone sets it. The kernel's seconds since boot do not, and all processes of a machine share
them. Two timestamps of one boot are compared by these seconds, others by the wall clock.
"""

import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class Timestamp:
    """A point in time. `unix`: UNIX seconds; `boot_id`: the kernel's; `boot_seconds`: since boot."""

    unix: float
    boot_id: str
    boot_seconds: float


def take_timestamp() -> Timestamp:
    """Read the clocks of this machine."""
    return Timestamp(time.time(), _boot_id(), time.clock_gettime(time.CLOCK_BOOTTIME))


def seconds_between(earlier: Timestamp, later: Timestamp) -> float:
    """Return the seconds between them, negative if `later` is the earlier one."""
    if earlier.boot_id == later.boot_id:
        return later.boot_seconds - earlier.boot_seconds
    return later.unix - earlier.unix


@cache
def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
