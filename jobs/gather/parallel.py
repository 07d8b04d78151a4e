"""Run the same function for many hosts in parallel, within one deadline. Slower hosts are left out."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
MAX_THREADS = 64


class ParallelCalls(Generic[Result]):
    """Calls that have been started, by name. Those that still run after `seconds` end by their own timeouts."""

    def __init__(self, work: Callable[[Item], Result], items: Mapping[str, Item], seconds: float) -> None:
        self._deadline = time.monotonic() + seconds
        pool = ThreadPoolExecutor(max_workers=MAX_THREADS)
        self._calls: dict[str, Future[Result]] = {name: pool.submit(work, item) for name, item in items.items()}
        pool.shutdown(wait=False)

    def result(self, name: str) -> Result | None:
        """Wait for one call and return its result. None if it is not complete in time."""
        try:
            return self._calls[name].result(timeout=max(0.0, self._deadline - time.monotonic()))
        except TimeoutError:
            return None

    def results(self) -> dict[str, Result]:
        """Wait for all calls and return the results that are complete in time. Calls that wait for a thread end."""
        completed, late = wait(self._calls.values(), timeout=max(0.0, self._deadline - time.monotonic()))
        for call in late:
            call.cancel()
        return {name: call.result() for name, call in self._calls.items() if call in completed}
