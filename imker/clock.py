"""When something was, so that a clock that is set makes no difference on one machine. Values; `now` reads the clocks.

Wall clocks jump. The kernel's count of seconds since the boot does not, and is the same for all processes of a
machine; so between two moments of one boot it is what counts, and the wall clocks only across machines or boots.
"""

import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class Timestamp:
    """`wall`: UNIX seconds; `boot`: the kernel's ID of this boot; `since`: seconds since then, asleep or awake."""

    unix: float
    boot_id: str
    boot_seconds: float


def take_timestamp() -> Timestamp:
    return Timestamp(time.time(), _boot_id(), time.clock_gettime(time.CLOCK_BOOTTIME))


def seconds_between(earlier: Timestamp, later: Timestamp) -> float:
    """Seconds; negative when `later` is not later."""
    if earlier.boot_id == later.boot_id:
        return later.boot_seconds - earlier.boot_seconds
    return later.unix - earlier.unix


@cache
def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
