"""Wait for a condition."""

import time
from collections.abc import Callable

from jobs.connectors.engine import Engine
from jobs.errors import EngineRefused, JobError, Unreachable

FIRST_INTERVAL, LONGEST_INTERVAL, GROWTH = 0.03, 0.3, 1.1  # seconds between two checks, and how fast they grow


def wait_for(condition: Callable[[], bool], seconds: float, interval: float = FIRST_INTERVAL) -> bool:
    """Return whether the condition became true within `seconds`. Unreachable and EngineRefused count as false."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if condition():
                return True
        except (Unreachable, EngineRefused):
            pass
        time.sleep(interval)
        interval = min(interval * GROWTH, LONGEST_INTERVAL)
    return False


def wait_for_engine(connect: Callable[[], Engine], condition: Callable[[Engine], bool], seconds: float) -> bool:
    """Wait as `wait_for` does, with one client of an Engine. After an error, connect again."""
    engine: Engine | None = None

    def check() -> bool:
        nonlocal engine
        try:
            engine = engine or connect()
            return condition(engine)
        except JobError:
            engine = None
            raise

    return wait_for(check, seconds)
