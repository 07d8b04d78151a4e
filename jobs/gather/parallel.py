"""Run the same function for many hosts in parallel, within one deadline. Slower hosts are left out."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
MAX_THREADS = 64


def run_in_parallel(work: Callable[[Item], Result], items: Mapping[str, Item], seconds: float) -> dict[str, Result]:
    """Return the results that are complete after `seconds`, by name. Calls that still run end by their own timeouts."""
    pool = ThreadPoolExecutor(max_workers=MAX_THREADS)
    running = {name: pool.submit(work, item) for name, item in items.items()}
    completed, _ = wait(running.values(), timeout=seconds)
    pool.shutdown(wait=False, cancel_futures=True)
    return {name: future.result() for name, future in running.items() if future in completed}
