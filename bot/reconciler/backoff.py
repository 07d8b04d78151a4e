"""When to ask Slack again for what it refused: later each time, up to a limit, and never before it said itself."""

import time
from collections.abc import Callable

from slack_sdk.errors import SlackApiError

from bot.slack.errors import ALL_REQUESTS, NEEDS_ADMIN, TEMPORARY_ERRORS, error_code

FIRST_DELAY, MAX_DELAY = 1.5, 30.0  # seconds after the first failure; the most, however many there were


class Backoff:
    """By key: a run's ID, or what else is told. `clock`: seconds, monotonic."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failed: dict[str, tuple[int, float]] = {}  # times in a row; not before

    def may_try(self, key: str) -> bool:
        return all(self._clock() >= self._failed.get(request, (0, 0.0))[1] for request in (key, ALL_REQUESTS))

    def succeeded(self, key: str) -> None:
        self._failed.pop(key, None)

    def failed(self, key: str, error: Exception) -> None:
        answer = error.response if isinstance(error, SlackApiError) else None
        if answer is not None and answer.status_code == TEMPORARY_ERRORS:
            pause = answer.headers.get("Retry-After", "")
            self._failed[ALL_REQUESTS] = (0, self._clock() + (float(pause) if pause.isdigit() else MAX_DELAY))
            return
        times = self._failed.get(key, (0, 0.0))[0] + 1
        wait = NEEDS_ADMIN.get(error_code(error), min(FIRST_DELAY * 2 ** min(times - 1, 10), MAX_DELAY))
        self._failed[key] = (times, self._clock() + wait)
