"""`python -m bot.reporter`: keeps each run's one message true. The only writer of messages in channels.

Level-triggered: it folds all that is known of a run, renders, and edits the message when that differs from what it
posted last. It has no cursor to lose, and may be killed at any time. A doorbell wakes it, and a tick.
"""

import signal
import sys
import threading
import time
import uuid
from collections.abc import Callable
from functools import partial
from http.client import HTTPException
from typing import Any

import structlog
from redis import Redis
from redis.exceptions import RedisError
from slack_sdk import WebClient
from slack_sdk.errors import SlackClientError
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler, ServerErrorRetryHandler

from bot import blocks, fleet_blocks, settings
from bot.fleet import FleetView, leg_record, next_legs, state, steered
from bot.messages import Messages
from bot.runs import Forged, Runs
from bot.witness import Witness
from imker import audit, broker, log, signing
from imker.audit import Audit
from imker.config import ConfigError
from imker.fault import fault
from jobs.contract import BELL

TICK = 1.5  # seconds between looks
HEALED = 5.0  # seconds after which a record without a job is enqueued again
LEASE = 10  # seconds that one reporter stays the only one

logger = structlog.get_logger()


class Reporter:
    """`clock`: UNIX seconds."""

    def __init__(
        self, runs: Runs, messages: Messages, witness: Witness, clock: Callable[[], float] = time.time
    ) -> None:
        self._runs = runs
        self._messages = messages
        self._witness = witness
        self._clock = clock

    def look(self) -> None:
        """Every open run once. What Slack refuses for one run keeps none of the others waiting."""
        for run in self._runs.open_runs():
            self._trying(partial(self._report, run), run)
        self._trying(self._witness.daily, "")

    def _trying(self, work: Callable[[], None], run: str) -> None:
        try:
            work()
        except (SlackClientError, OSError, HTTPException, Forged) as failed:
            logger.warning("could not report", run=run, error=str(failed))

    def _report(self, run: str) -> None:
        record = self._runs.record(run)
        if record is None:
            return self._runs.close(run)
        if (
            not self._runs.has_job(record)
            and self._clock() - record.asked_at > HEALED
            and not self._told(run, record.jobs)
        ):
            self._runs.enqueue(record)
        view = self._runs.view(record)
        fleet = self._runs.fleet(view)
        if fleet:
            self._conduct(fleet)
        message = fleet_blocks.render(fleet) if fleet else blocks.render(view)
        over = (state(fleet) == "over") if fleet else view.state in ("over", "lost") or view.expired
        shown = self._messages.show(view, message, over) and self._messages.details(view)
        if shown and over and (fleet is None or self._messages.report(fleet)):
            self._witness.accepted(view, self._runs.posted.of(run))
            fault("run.closing")
            self._runs.close(run)
        return None

    def _conduct(self, fleet: FleetView) -> None:
        """Begins what may begin: whoever looks next begins the same, and RQ takes each but once."""
        for leg in next_legs(fleet):
            self._runs.start(leg_record(fleet, leg, self._clock()))
            fault("leg.begun")
        for view, decision in steered(fleet):
            self._runs.decide(view.record, decision)

    def _told(self, run: str, job: int) -> bool:
        return any(event.job == job for event in self._runs.events(run))


def serve(reporter: Reporter, redis: "Redis", over: threading.Event) -> None:
    """One reporter at a time looks; a second stands by, and takes over when the first is gone."""
    me, bell = uuid.uuid4().hex, redis.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
    bell.subscribe(BELL)
    while not over.is_set():
        try:
            if _leads(redis, me):
                reporter.look()
            _await(bell)
        except RedisError as failed:
            logger.warning("Redis does not answer", error=str(failed))
            over.wait(TICK)
    _step_down(redis, me)


def _await(bell: Any) -> None:
    """Until the bell rings, or a tick; all rings since count as one."""
    if bell.get_message(timeout=TICK):
        while bell.get_message(timeout=0):
            pass


def _leads(redis: "Redis", me: str) -> bool:
    if redis.set("bot:reporter", me, nx=True, ex=LEASE):
        return True
    holder = redis.get("bot:reporter")
    if holder == me.encode():
        redis.expire("bot:reporter", LEASE)
        return True
    return False


def _step_down(redis: "Redis", me: str) -> None:
    if redis.get("bot:reporter") == me.encode():
        redis.delete("bot:reporter")


def main() -> int:
    log.set_up()
    try:
        loaded = settings.load()
        redis = broker.connect(loaded.redis_url)
        key = signing.load()
    except (ConfigError, broker.NoRedis) as wrong:
        print(wrong, file=sys.stderr)
        return 2
    # Without the SDK's own handler for lost connections: it would post again what was heard.
    handlers = [RateLimitErrorRetryHandler(max_retry_count=2), ServerErrorRetryHandler(max_retry_count=2)]
    token = loaded.bot_token.get_secret_value()
    client = WebClient(token=token, base_url=loaded.api_url, retry_handlers=handlers)
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    signal.signal(signal.SIGINT, lambda *_: over.set())
    runs = Runs(redis, time.time, key)
    witness = Witness(client, Audit(redis, audit.key()), runs, next(iter(loaded.channels), ""))
    serve(Reporter(runs, Messages(runs, client), witness), redis, over)
    return 0


if __name__ == "__main__":
    sys.exit(main())
