"""When something was, so that a clock that is set makes no difference on one machine. Values; `now` reads the clocks.

Wall clocks jump. The kernel's count of seconds since the boot does not, and is the same for all processes of a
machine; so between two moments of one boot it is what counts, and the wall clocks only across machines or boots.
"""

import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class Moment:
    """`wall`: UNIX seconds; `boot`: the kernel's ID of this boot; `since`: seconds since then, asleep or awake."""

    wall: float
    boot: str
    since: float


def now() -> Moment:
    return Moment(time.time(), _boot(), time.clock_gettime(time.CLOCK_BOOTTIME))


def between(earlier: Moment, later: Moment) -> float:
    """Seconds; negative when `later` is not later."""
    if earlier.boot == later.boot:
        return later.since - earlier.since
    return later.wall - earlier.wall


@cache
def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
