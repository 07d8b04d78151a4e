"""Wait until a condition holds or the time is over."""

import time
from collections.abc import Callable

from jobs.errors import EngineRefused, Unreachable


def wait_for(condition: Callable[[], bool], seconds: float, interval: float = 0.5) -> bool:
    """Asks until it is true or the time is over. An edge that does not answer yet is a no."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if condition():
                return True
        except (Unreachable, EngineRefused):
            pass
        time.sleep(interval)
    return False
