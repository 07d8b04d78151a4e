"""Several RQ workers of one queue as one process to start and stop: each its own child, a dead one replaced.

In: how many, and what each does. Out: an exit status, when all have ended.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from imker.process import end_with_parent

ENDING = (signal.SIGTERM, signal.SIGINT)
AGAIN = 1.0  # seconds before a child that died is replaced: one that dies at once must not spin


def crew(number: int, work: Callable[[], None]) -> int:
    """Runs `work` in so many children until SIGTERM or SIGINT, which each child gets, to end after its job."""
    over: list[int] = []
    children = {_child(work) for _ in range(number)}

    def stop(signum: int, _: object) -> None:
        over.append(signum)
        for child in children:
            with suppress(ProcessLookupError):  # just ended, and not off the list yet
                os.kill(child, signal.SIGTERM)

    for signum in ENDING:
        signal.signal(signum, stop)
    while children:
        ended, _ = os.wait()
        children.discard(ended)
        if not over:
            time.sleep(AGAIN)
        with _told_later():
            if not over:
                children.add(_child(work))
    return 0


@contextmanager
def _told_later() -> Iterator[None]:
    """A signal to end waits meanwhile: else a child that is not in the list yet would never hear of it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)


def _child(work: Callable[[], None]) -> int:
    pid = os.fork()
    if pid:
        return pid
    end_with_parent(signal.SIGTERM)  # nobody is left behind by a crew that was killed
    for signum in ENDING:
        signal.signal(signum, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
    try:
        work()
    finally:
        os._exit(0)
