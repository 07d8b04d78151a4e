"""When to ask Slack again for what it refused: later each time, up to a limit, and never before it said itself."""

import time
from collections.abc import Callable

from slack_sdk.errors import SlackApiError

FIRST, MOST = 1.5, 30.0  # seconds after the first failure; the most, however many there were
SHUT_OUT = {  # what only a person can mend: seconds until it is tried again
    "not_in_channel": 300.0,
    "channel_not_found": 300.0,
    "is_archived": 300.0,
}
BUSY, EVERYTHING = 429, ""  # Slack's status when it asks for a pause, which is one for all there is


class Patience:
    """By key: a run's ID, or what else is told. `clock`: seconds, monotonic."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failed: dict[str, tuple[int, float]] = {}  # times in a row; not before

    def ready(self, key: str) -> bool:
        return all(self._clock() >= self._failed.get(what, (0, 0.0))[1] for what in (key, EVERYTHING))

    def done(self, key: str) -> None:
        self._failed.pop(key, None)

    def failed(self, key: str, why: Exception) -> None:
        answer = why.response if isinstance(why, SlackApiError) else None
        if answer is not None and answer.status_code == BUSY:
            pause = answer.headers.get("Retry-After", "")
            self._failed[EVERYTHING] = (0, self._clock() + (float(pause) if pause.isdigit() else MOST))
            return
        times = self._failed.get(key, (0, 0.0))[0] + 1
        wait = SHUT_OUT.get(code(why), min(FIRST * 2 ** min(times - 1, 10), MOST))
        self._failed[key] = (times, self._clock() + wait)


def untaken(failed: SlackApiError) -> bool:
    """Whether Slack surely took nothing of it; of an error of its own it may have."""
    return code(failed) in SHUT_OUT or failed.response.status_code == BUSY


def code(failed: Exception) -> str:
    """Slack's own word for why it refuses, "" when it said nothing."""
    return str(failed.response.get("error", "")) if isinstance(failed, SlackApiError) else ""
