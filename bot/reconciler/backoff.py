"""Exponential backoff for failed Slack calls. Honors `Retry-After`."""

import time
from collections.abc import Callable

from slack_sdk.errors import SlackApiError

from bot.slack.errors import NEEDS_ADMIN, RATE_LIMITED, error_code

FIRST_DELAY, MAX_DELAY = 1.5, 30.0  # seconds
ALL_REQUESTS = ""  # the key for a pause of all requests


class Backoff:
    """Decide per key, such as a run ID, whether to try again. `clock`: monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failed: dict[str, tuple[int, float]] = {}  # consecutive failures; time of the next try

    def may_try(self, key: str) -> bool:
        """Return whether the delay of this key, and of all requests, has passed."""
        return all(self._clock() >= self._failed.get(request, (0, 0.0))[1] for request in (key, ALL_REQUESTS))

    def succeeded(self, key: str) -> None:
        """Reset the delay of this key."""
        self._failed.pop(key, None)

    def failed(self, key: str, error: Exception) -> None:
        """Delay the next try. The delay doubles with each failure; a rate limit delays all keys."""
        response = error.response if isinstance(error, SlackApiError) else None
        if response is not None and response.status_code == RATE_LIMITED:
            pause = response.headers.get("Retry-After", "")
            self._failed[ALL_REQUESTS] = (0, self._clock() + (float(pause) if pause.isdigit() else MAX_DELAY))
            return
        times = self._failed.get(key, (0, 0.0))[0] + 1
        wait = NEEDS_ADMIN.get(error_code(error), min(FIRST_DELAY * 2 ** min(times - 1, 10), MAX_DELAY))
        self._failed[key] = (times, self._clock() + wait)
