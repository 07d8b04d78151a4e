"""Several RQ workers of one queue as one process to start and stop: each its own child, a dead one replaced.

In: how many, and what each does. Out: an exit status, when all have ended: 1 when they ended by themselves at once.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import structlog

from imker.process import end_with_parent

log = structlog.get_logger()
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
RESTART_DELAY = 1.0  # seconds before a child that died is replaced: one that dies at once must not spin
QUICK_EXIT, MAX_QUICK_EXITS = (
    10.0,
    5,
)  # a child that ends by itself within so many seconds; so many in one place end the crew


@dataclass(frozen=True)
class Child:
    """`quick`: how many before it in its place ended by themselves at once, in a row."""

    quick_exits: int = 0
    started_at: float = field(default_factory=time.monotonic)

    def count_quick_exit(self, status: int) -> int:
        """How many have now. One that was killed did not end by itself."""
        by_itself = os.waitstatus_to_exitcode(status) >= 0
        return self.quick_exits + 1 if by_itself and time.monotonic() - self.started_at < QUICK_EXIT else 0


def run_pool(number: int, work: Callable[[], None]) -> int:
    """Runs `work` in so many children until SIGTERM or SIGINT, which each child gets, to end after its job."""
    over: list[int] = []
    children = {_fork_child(work): Child() for _ in range(number)}

    def stop(signum: int, _: object) -> None:
        over.append(signum)
        for child in children:
            with suppress(ProcessLookupError):  # just ended, and not off the list yet
                os.kill(child, signal.SIGTERM)

    for signum in STOP_SIGNALS:
        signal.signal(signum, stop)
    has_failed = False
    while children:
        ended_pid, status = os.wait()
        quick = children.pop(ended_pid).count_quick_exit(status)
        if quick == MAX_QUICK_EXITS and not over:
            has_failed = True
            log.error("RQ workers end at once, again and again; ending when the others have", times=quick)
            os.kill(os.getpid(), signal.SIGTERM)
        if not over:
            time.sleep(RESTART_DELAY)
        with _block_signals():
            if not over:
                children[_fork_child(work)] = Child(quick)
    return int(has_failed)


@contextmanager
def _block_signals() -> Iterator[None]:
    """A signal to end waits meanwhile: else a child that is not in the list yet would never hear of it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)


def _fork_child(work: Callable[[], None]) -> int:
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    end_with_parent(signal.SIGTERM, parent)  # nobody is left behind by a crew that was killed
    for signum in STOP_SIGNALS:
        signal.signal(signum, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
    code = 1
    try:
        work()
        code = 0
    except Exception:
        log.exception("an RQ worker broke")
    finally:
        os._exit(code)
