"""Wait for a condition."""

import time
from collections.abc import Callable

from jobs.errors import EngineRefused, Unreachable


def wait_for(condition: Callable[[], bool], seconds: float, interval: float = 0.5) -> bool:
    """Return whether the condition became true within `seconds`. Unreachable and EngineRefused count as false."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if condition():
                return True
        except (Unreachable, EngineRefused):
            pass
        time.sleep(interval)
    return False
