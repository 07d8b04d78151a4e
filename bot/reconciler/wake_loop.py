"""Run the reconciler when it is woken, and at every tick. One reconciler is active at a time."""

import threading
from collections.abc import Callable
from typing import Any

import structlog
from redis import Redis
from redis.exceptions import RedisError

from bot.reconciler.leader_election import LeaderElection
from imker.protocol.version import WAKE_CHANNEL

logger = structlog.get_logger()


def run_loop(
    reconcile: Callable[[Callable[[], bool]], None], redis: "Redis", stopping: threading.Event, tick: float
) -> None:
    """Call `reconcile` while this process leads, until `stopping` is set.

    `reconcile`: gets a function that returns whether this process still leads; `tick`: seconds between two calls if
    nothing wakes it.
    """
    wake_ups = redis.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
    election = LeaderElection(redis, stopping)
    while not stopping.is_set():
        try:
            if not wake_ups.subscribed:
                wake_ups.subscribe(WAKE_CHANNEL)
            if election.is_leader():
                reconcile(election.is_leader)
            _wait_for_wake(wake_ups, tick)
        except RedisError as error:
            logger.warning("Redis does not respond", error=str(error))
            stopping.wait(tick)
    election.resign()


def _wait_for_wake(wake_ups: Any, tick: float) -> None:
    """Wait for a wake-up or a tick. Several wake-ups count as one."""
    if wake_ups.get_message(timeout=tick):
        while wake_ups.get_message(timeout=0):
            pass
