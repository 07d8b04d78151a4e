"""Record in Redis that a bot is connected to Slack, for `imker health` and the metrics. Log each change."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog
from redis import Redis
from redis.exceptions import RedisError

from imker.health import CONNECTED_TTL
from imker.protocol.version import BOT_CONNECTED_KEY

logger = structlog.get_logger()
INTERVAL = 5.0  # seconds between two heartbeats


class Heartbeat:
    """Know whether this bot is connected. `clock`: monotonic seconds."""

    def __init__(
        self, redis: "Redis", is_connected: Callable[[], bool], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._redis = redis
        self._is_connected = is_connected
        self._clock = clock
        self._was_connected: bool | None = None
        self._written_at = -INTERVAL

    def beat(self) -> None:
        """Log a change, and write the heartbeat while connected, if the last one is old. Raises RedisError."""
        connected = self._is_connected()
        if connected != self._was_connected:
            logger.info("connected to Slack" if connected else "not connected to Slack")
            self._was_connected = connected
        if connected and self._clock() - self._written_at >= INTERVAL:
            self._redis.set(BOT_CONNECTED_KEY, "1", ex=CONNECTED_TTL)
            self._written_at = self._clock()


@contextmanager
def run_heartbeat(redis: "Redis", is_connected: Callable[[], bool]) -> Iterator[None]:
    """Call `beat` once a second in a thread until the block ends."""
    ended = threading.Event()
    heartbeat = Heartbeat(redis, is_connected)

    def run() -> None:
        while not ended.is_set():
            try:
                heartbeat.beat()
            except RedisError as error:
                logger.debug("no heartbeat: Redis does not respond", error=str(error))
            ended.wait(1)

    threading.Thread(target=run, name="heartbeat", daemon=True).start()
    try:
        yield
    finally:
        ended.set()
