"""Remember the inventory's host names, so that a form can be shown while Redis does not respond."""

import time
from collections.abc import Callable

import structlog
from redis.exceptions import RedisError

log = structlog.get_logger()
REFRESH_AFTER = 10.0  # seconds


class KnownHosts:
    """`load`: reads the names from Redis; `clock`: monotonic seconds."""

    def __init__(self, load: Callable[[], tuple[str, ...]], clock: Callable[[], float] = time.monotonic) -> None:
        self._load = load
        self._clock = clock
        self._loaded_at = 0.0
        self.names: tuple[str, ...] = ()

    def refresh(self) -> None:
        """Read the names again if they are old or none are known. While Redis does not respond, the last ones stay."""
        if self.names and self._clock() - self._loaded_at < REFRESH_AFTER:
            return
        self._loaded_at = self._clock()
        try:
            self.names = self._load()
        except RedisError as error:
            log.warning("could not read the inventory", error=str(error))
