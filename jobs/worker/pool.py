"""Run a pool of RQ workers: fork them, restart any that exit, forward SIGTERM.

In: their number, and the function that each runs. Out: an exit status when all have exited. It is 1 when a worker
exits again and again right after its start.
"""

import gc
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import structlog

from imker import service_manager
from imker.process import end_with_parent

log = structlog.get_logger()
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
RESTART_DELAY = 1.0  # seconds before a child is restarted
QUICK_EXIT = 10.0  # a child that exits within so many seconds did not start properly
MAX_QUICK_EXITS = 5  # so many in a row stop the pool


@dataclass(frozen=True)
class Child:
    """A running RQ worker. `quick_exits`: how many predecessors in a row exited right after their start."""

    quick_exits: int = 0
    started_at: float = field(default_factory=time.monotonic)

    def count_quick_exit(self, status: int) -> int:
        """Return the number of quick exits including this one. A child that was killed by a signal does not count."""
        was_killed = os.waitstatus_to_exitcode(status) < 0
        is_quick = time.monotonic() - self.started_at < QUICK_EXIT
        return self.quick_exits + 1 if is_quick and not was_killed else 0


def run_pool(number: int, work: Callable[[], None]) -> int:
    """Run `work` in `number` children until SIGTERM or SIGINT, which is forwarded. Children finish their job first."""
    stop_signals: list[int] = []
    children: dict[int, Child] = {}

    def stop(signum: int, _: object) -> None:
        stop_signals.append(signum)
        for child in children:
            with suppress(ProcessLookupError):  # the child has just exited
                os.kill(child, signal.SIGTERM)

    for signum in STOP_SIGNALS:
        signal.signal(signum, stop)
    gc.collect()
    gc.freeze()  # a full collection in a child would copy every page that it shares with the others
    with _block_signals():
        children.update((_fork_child(work), Child()) for _ in range(number))
    _report_to_service_manager()
    has_failed = False
    while children:
        exited_pid, status = os.wait()
        child = children.pop(exited_pid, None)
        if child is None:
            continue  # the process of a killed worker: in a container, the pool is PID 1 and adopts it
        quick = child.count_quick_exit(status)
        if quick == MAX_QUICK_EXITS and not stop_signals:
            has_failed = True
            log.error("RQ workers keep exiting right after their start; stopping the pool", times=quick)
            os.kill(os.getpid(), signal.SIGTERM)
        if not stop_signals:
            time.sleep(RESTART_DELAY)
        with _block_signals():
            if not stop_signals:
                children[_fork_child(work)] = Child(quick)
    signal.setitimer(signal.ITIMER_REAL, 0)  # at its exit, Python removes the handler before the timer
    return int(has_failed)


def _report_to_service_manager() -> None:
    """Report that the workers have started, and then regularly that this process still works.

    A timer interrupts the wait for children. A thread could not be used: it would exist in the middle of a fork.
    """
    service_manager.notify(service_manager.READY)
    if seconds := service_manager.watchdog_seconds():
        signal.signal(signal.SIGALRM, lambda *_: service_manager.notify(service_manager.ALIVE))
        signal.setitimer(signal.ITIMER_REAL, seconds, seconds)


@contextmanager
def _block_signals() -> Iterator[None]:
    """Delay stop signals, so that a child that is not listed yet also receives them."""
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
    end_with_parent(signal.SIGTERM, parent)  # also when the pool is killed
    for signum in (*STOP_SIGNALS, signal.SIGALRM):
        signal.signal(signum, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
    code = 1
    try:
        work()
        code = 0
    except Exception:
        log.exception("an RQ worker failed")
    finally:
        os._exit(code)
