"""The reporter's loop: it looks when the bell rings, and at each tick. One reporter at a time does."""

import threading
from collections.abc import Callable
from typing import Any

import structlog
from redis import Redis
from redis.exceptions import RedisError

from bot.lease import Lease
from jobs.contract import BELL

logger = structlog.get_logger()


def serve(look: Callable[[Callable[[], bool]], None], redis: "Redis", over: threading.Event, tick: float) -> None:
    """One reporter at a time looks; a second stands by, and takes over when the first is gone. `tick`: seconds."""
    bell = redis.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
    lease = Lease(redis, over)
    while not over.is_set():
        try:
            if not bell.subscribed:
                bell.subscribe(BELL)
            if lease.mine():
                look(lease.mine)
            _await(bell, tick)
        except RedisError as failed:
            logger.warning("Redis does not answer", error=str(failed))
            over.wait(tick)
    lease.give_up()


def _await(bell: Any, tick: float) -> None:
    """Until the bell rings, or a tick; all rings since count as one."""
    if bell.get_message(timeout=tick):
        while bell.get_message(timeout=0):
            pass
