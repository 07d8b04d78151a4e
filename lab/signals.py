"""Handling of SIGTERM and SIGHUP (a closed terminal) in commands of the lab."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

END_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


def end_in_order() -> None:
    """Make both signals end this process as Ctrl-C does, including everything it started. `nohup` still works."""
    for signum in END_SIGNALS:
        if signal.getsignal(signum) is not signal.SIG_IGN:
            signal.signal(signum, _end)


@contextmanager
def deferred() -> Iterator[None]:
    """Let a cleanup finish; a signal that arrives meanwhile takes effect afterwards."""
    arrived: list[int] = []
    before = {signum: signal.signal(signum, lambda number, _: arrived.append(number)) for signum in END_SIGNALS}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
        for number in arrived[:1]:
            signal.raise_signal(number)


def _end(signum: int, frame: FrameType | None) -> None:
    for other in END_SIGNALS:
        signal.signal(other, signal.SIG_IGN)  # a closed terminal sends more than one
    sys.exit(128 + signum)
