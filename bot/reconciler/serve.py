"""The reconciler's loop: it looks when the bell rings, and at each tick. One reconciler at a time does."""

import threading
from collections.abc import Callable
from typing import Any

import structlog
from redis import Redis
from redis.exceptions import RedisError

from bot.reconciler.leader_election import LeaderElection
from imker.protocol.version import WAKE_CHANNEL

logger = structlog.get_logger()


def serve(
    reconcile: Callable[[Callable[[], bool]], None], redis: "Redis", stopping: threading.Event, tick: float
) -> None:
    """One reconciler at a time looks; a second stands by, and takes over when the first is gone. `tick`: seconds."""
    bell = redis.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
    lease = LeaderElection(redis, stopping)
    while not stopping.is_set():
        try:
            if not bell.subscribed:
                bell.subscribe(WAKE_CHANNEL)
            if lease.is_leader():
                reconcile(lease.is_leader)
            _wait_for_wake(bell, tick)
        except RedisError as failed:
            logger.warning("Redis does not answer", error=str(failed))
            stopping.wait(tick)
    lease.resign()


def _wait_for_wake(bell: Any, tick: float) -> None:
    """Until the bell rings, or a tick; all rings since count as one."""
    if bell.get_message(timeout=tick):
        while bell.get_message(timeout=0):
            pass
