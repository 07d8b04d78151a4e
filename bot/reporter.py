"""`python -m bot.reporter`: keeps each run's one message true. The only writer of messages in channels.

Level-triggered: it folds all that is known of a run, renders, and edits the message when that differs from what it
posted last. It has no cursor to lose, and may be killed at any time. A doorbell wakes it, and a tick.
"""

import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from http.client import HTTPException

import structlog
from redis.exceptions import RedisError
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.http_retry import RetryHandler

from bot import fleet_blocks, second_look, settings
from bot.decisions import Forged, Newer
from bot.fleet import FleetView, leg_record, next_legs, state, steered
from bot.messages import Messages
from bot.minutes import Minutes
from bot.past import Past
from bot.patience import SHUT_OUT, Patience, code
from bot.posted import Marks
from bot.progress import RunView
from bot.revocation import Revocation
from bot.runs import Runs
from bot.serving import serve
from bot.witness import Witness
from imker import audit, broker, log, signing
from imker.audit import Audit
from imker.config import ConfigError
from imker.fault import fault
from imker.outage import outage

TICK = 1.5  # seconds between looks
HEALED = 5.0  # seconds after which a record without a job is enqueued again
SLACK = 10  # seconds that Slack may take to answer
GONE = ("message_not_found", "cant_update_message", "thread_not_found")
CLOSED = "edit_window_closed"  # a workspace may not let messages be edited any more: what comes to rest is said anew
HEAD, PAST, LOST = "the record's head", "runs of before", "lost runs"  # what is looked at besides open runs

logger = structlog.get_logger()


Stops = Callable[[RunView, FleetView | None], bool]


class Reporter:
    """`clock`: UNIX seconds; `stops`: whether a run was just cancelled because of its people's rights."""

    def __init__(
        self,
        runs: Runs,
        messages: Messages,
        witness: Witness,
        past: Past,
        clock: Callable[[], float] = time.time,
        patience: Patience | None = None,
        stops: Stops = lambda view, fleet: False,
    ) -> None:
        self._runs = runs
        self._messages = messages
        self._witness = witness
        self._past = past
        self._clock = clock
        self._patience = patience or Patience()
        self._stops = stops
        self._open: dict[str, tuple[RunView, Marks]] = {}  # as last looked at, and where it was posted
        self._broken: dict[str, str] = {}  # what could not be looked at, and why: said once

    def look(self, leads: Callable[[], bool] = lambda: True) -> None:
        """Every open run once, while this reporter `leads`. What fails for one keeps none of the others waiting."""
        self._guarded(self._look_again, LOST)
        for run in dict.fromkeys((*self._runs.open_runs(), *self._open)):
            if not leads():
                return
            self._guarded(partial(self._report, run), run)
        self._guarded(partial(self._trying, self._witness.daily, HEAD), HEAD)
        self._guarded(partial(self._trying, self._past.tell, PAST), PAST)

    def _look_again(self) -> None:
        for run, until in self._runs.lost.kept():
            self._guarded(partial(second_look.again, self._runs, run, until, self._clock()), run)

    def _guarded(self, work: Callable[[], None], about: str) -> None:
        """Raises RedisError when Redis is away. What stands there and cannot be read is one run's trouble alone."""
        try:
            work()
        except Newer:
            pass  # the log has it; it stays there for the version that wrote it
        except Forged as forged:
            if self._broken.get(about) != str(forged):
                logger.warning("forged", about=about, what=str(forged))
            self._broken[about] = str(forged)
        except Exception as failed:
            if isinstance(failed, RedisError) and outage(failed):
                raise
            if self._broken.get(about) != repr(failed):
                logger.exception("could not look", about=about)
            self._broken[about] = repr(failed)

    def _trying(self, work: Callable[[], None], key: str) -> None:
        """Unless it failed just before. Slack's trouble is Slack's alone: the runs go on."""
        if not self._patience.ready(key):
            return
        try:
            work()
            self._patience.done(key)
        except (SlackClientError, OSError, HTTPException) as failed:
            self._patience.failed(key, failed)
            logger.warning("could not report", about=key, error=str(failed))

    def _report(self, run: str) -> None:
        record = self._runs.record(run)
        if record is None:
            return self._forgotten(run)
        if (
            not self._runs.has_job(record)
            and abs(self._clock() - record.asked_at) > HEALED
            and self._clock() < record.expires
            and not self._told(run, record.jobs)
        ):
            self._runs.enqueue(record)
        view = self._runs.view(record)
        fleet = self._runs.fleet(view)
        if self._stops(view, fleet):
            return None  # the bell rings: the next look shows it
        if fleet:
            self._conduct(fleet)
        return self._trying(partial(self._tell, view, fleet), run)

    def _tell(self, view: RunView, fleet: FleetView | None) -> None:
        second_look.later(self._runs, view)
        run, message = view.record.run, fleet_blocks.shown(view, fleet)
        if self._place(run) is None:
            return None
        over = (state(fleet) == "over") if fleet else view.state in ("over", "lost") or view.expired
        try:
            shown = self._messages.show(view, message, over)
            if shown:
                self._messages.details(view)
                self._witness.accepted(view, self._runs.posted.of(run))
            if shown and over:
                self._conclude(view, fleet)
                return self._close(run)
        except SlackApiError as refused:
            if code(refused) in GONE or (code(refused) == CLOSED and (over or view.state == "waiting")):
                self._open.pop(run, None)
                return self._runs.posted.forget(run)  # it comes again
            if code(refused) not in SHUT_OUT:
                raise
            self._messages.privately(view, message, over)
            if over:
                return self._close(run)
            raise
        posted = self._place(run)
        if posted is not None:
            self._open[run] = view, posted
        return None

    def _place(self, run: str) -> Marks | None:
        """What was posted of it; None when Redis was wiped in the middle of this look, and the next finds no run.

        Where somebody deleted or overwrote that alone, this reporter still knows it.
        """
        _, known = self._open.get(run, (None, Marks()))
        posted = self._runs.posted.of(run)
        if "ts" not in known or "ts" in posted:
            return posted
        if self._runs.record(run) is None:
            return None
        self._runs.posted.remember(run, **known)
        return known

    def _conclude(self, view: RunView, fleet: FleetView | None) -> None:
        if fleet:
            self._messages.report(fleet)
        fault("run.closing")

    def _close(self, run: str) -> None:
        self._runs.close(run)
        self._open.pop(run, None)

    def _forgotten(self, run: str) -> None:
        """Redis was wiped. Who watches the run's message is told, if this reporter knows where that is."""

        def tell() -> None:
            try:
                if run in self._open:
                    self._messages.forgotten(*self._open[run])
            except SlackApiError as refused:
                if code(refused) not in (*GONE, *SHUT_OUT, CLOSED):
                    raise
            self._close(run)

        self._trying(tell, run)

    def _conduct(self, fleet: FleetView) -> None:
        """Begins what may begin: whoever looks next begins the same, and RQ takes each but once."""
        for leg in next_legs(fleet):
            self._runs.start(leg_record(fleet, leg, self._clock()))
            fault("leg.begun")
        for view, decision in steered(fleet):
            self._runs.decide(view.record, decision)

    def _told(self, run: str, job: int) -> bool:
        return any(event.job == job for event in self._runs.events(run))


def main() -> int:
    log.set_up()
    try:
        loaded = settings.load()
        redis = broker.connect(loaded.redis_url)
        key = signing.load()
    except (ConfigError, broker.NoRedis) as wrong:
        print(wrong, file=sys.stderr)
        return 2
    token = loaded.bot_token.get_secret_value()
    # Without the SDK's own retries: they would post again what was heard, and sleep where others' runs could be told.
    client = WebClient(token=token, base_url=loaded.api_url, timeout=SLACK, retry_handlers=list[RetryHandler]())
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    signal.signal(signal.SIGINT, lambda *_: over.set())
    runs = Runs(redis, time.time, key)
    record = Audit(redis, audit.key())
    witness = Witness(client, record, runs, next(iter(loaded.channels), ""))
    messages, past = Messages(runs, client, api_url=loaded.api_url), Past(client, runs, loaded.channels)
    revocation = Revocation(loaded, client, runs, Minutes(record))
    reporter = Reporter(runs, messages, witness, past, stops=revocation.stops)
    serve(reporter.look, redis, over, TICK)
    return 0


if __name__ == "__main__":
    sys.exit(main())
