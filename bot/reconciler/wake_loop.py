"""Run the reconciler when it is woken, and at every tick. One reconciler is active at a time.

A second thread advances fleets when a job ends or a user decides, so that their next hosts do not wait for Slack.
"""

import threading
import time
from collections.abc import Callable
from typing import Any

import structlog
from redis import Redis
from redis.exceptions import RedisError

from bot.reconciler.leader_election import LeaderElection
from imker import service_manager
from imker.protocol.version import OUTCOME_MARK, WAKE_CHANNEL

logger = structlog.get_logger()
Work = Callable[[Callable[[], bool]], None]  # gets a function that returns whether this process still leads


def run_loop(reconcile: Work, advance: Work, redis: "Redis", stopping: threading.Event, tick: float) -> None:
    """Call `reconcile` and `advance` while this process leads, until `stopping` is set.

    `tick`: seconds between two calls of `reconcile` if nothing wakes it.
    """
    election = LeaderElection(redis, stopping)
    arguments = (advance, _wait_for_outcome, redis, stopping, tick, election.is_leader)
    fleets = threading.Thread(target=_run_woken, args=arguments, name="fleets", daemon=True)
    fleets.start()
    service_manager.notify(service_manager.READY)
    leads = service_manager.reporting_alive(election.is_leader)  # it is called before each run
    _run_woken(reconcile, _wait_for_wake, redis, stopping, tick, leads)
    service_manager.notify(service_manager.STOPPING)
    fleets.join(2 * tick)
    election.resign()


def _run_woken(
    work: Work,
    wait: Callable[[Any, float], None],
    redis: "Redis",
    stopping: threading.Event,
    tick: float,
    is_leader: Callable[[], bool],
) -> None:
    """Call `work`, then `wait` for the next wake-up, again and again until `stopping` is set."""
    wake_ups = redis.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
    while not stopping.is_set():
        try:
            leads = is_leader()
            if not wake_ups.subscribed:
                wake_ups.subscribe(WAKE_CHANNEL)
            if leads:
                work(is_leader)
            wait(wake_ups, tick)
        except RedisError as error:
            logger.warning("Redis does not respond", error=str(error))
            stopping.wait(tick)


def _wait_for_wake(wake_ups: Any, tick: float) -> None:
    """Wait for a wake-up or a tick. Several wake-ups count as one."""
    if wake_ups.get_message(timeout=tick):
        while wake_ups.get_message(timeout=0):
            pass


def _wait_for_outcome(wake_ups: Any, tick: float) -> None:
    """Wait until a job ended or a user decided, or for a tick. Progress of a job does not count."""
    deadline = time.monotonic() + tick
    while (remaining := deadline - time.monotonic()) > 0:
        message = wake_ups.get_message(timeout=remaining)
        if message and bytes(message["data"]).endswith(OUTCOME_MARK):
            return
