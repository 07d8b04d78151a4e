"""Reconcile every open run: load, fold, render, publish, and start a fleet's next hosts."""

import time
from collections.abc import Callable
from functools import partial
from http.client import HTTPException

import structlog
from redis.exceptions import RedisError
from slack_sdk.errors import SlackApiError, SlackClientError

from bot.messages import fleet_message
from bot.reconciler import lost_runs
from bot.reconciler.audit_checkpoints import AuditCheckpoints
from bot.reconciler.backoff import Backoff
from bot.reconciler.orphaned_messages import OrphanedMessages
from bot.reconciler.publisher import Publisher
from bot.runs.decisions import TamperedRecord, WrittenByNewerVersion
from bot.runs.posted_messages import PostedFields
from bot.runs.store import RunStore
from bot.slack.errors import NEEDS_ADMIN, error_code
from bot.state.fleet_state import FleetState, decisions_from_hold, fleet_status, host_run_record, hosts_to_start
from bot.state.run_state import RunState
from imker.failpoints import failpoint
from imker.redis_errors import unavailable_reason

logger = structlog.get_logger()
REENQUEUE_AFTER = 5.0  # seconds after which a record without a job is enqueued again
MESSAGE_GONE = ("message_not_found", "cant_update_message", "thread_not_found")
EDIT_WINDOW_CLOSED = (
    "edit_window_closed"  # a workspace may not let messages be edited any more: what comes to rest is said anew
)
CHECKPOINTS, ORPHANS, LOST_RUNS = (
    "the record's head",
    "runs of before",
    "lost runs",
)  # what is looked at besides open runs


Stops = Callable[[RunState, FleetState | None], bool]


class Reconciler:
    """`clock`: UNIX seconds; `stops`: whether a run was just cancelled because of its people's rights."""

    def __init__(
        self,
        runs: RunStore,
        publisher: Publisher,
        checkpoints: AuditCheckpoints,
        orphans: OrphanedMessages,
        clock: Callable[[], float] = time.time,
        backoff: Backoff | None = None,
        stops: Stops = lambda view, fleet: False,
    ) -> None:
        self._runs = runs
        self._messages = publisher
        self._witness = checkpoints
        self._orphans = orphans
        self._clock = clock
        self._patience = backoff or Backoff()
        self._stops = stops
        self._open: dict[str, tuple[RunState, PostedFields]] = {}  # as last looked at, and where it was posted
        self._broken: dict[str, str] = {}  # what could not be looked at, and why: said once

    def reconcile_all(self, is_leader: Callable[[], bool] = lambda: True) -> None:
        """Every open run once, while this reconciler `leads`. What fails for one keeps none of the others waiting."""
        self._isolated(self._recheck_lost_runs, LOST_RUNS)
        for run in dict.fromkeys((*self._runs.open_runs(), *self._open)):
            if not is_leader():
                return
            self._isolated(partial(self._reconcile, run), run)
        self._isolated(partial(self._with_backoff, self._witness.post_daily, CHECKPOINTS), CHECKPOINTS)
        self._isolated(partial(self._with_backoff, self._orphans.mark_lost, ORPHANS), ORPHANS)

    def _recheck_lost_runs(self) -> None:
        for run, until in self._runs.lost.all():
            self._isolated(partial(lost_runs.recheck_lost, self._runs, run, until, self._clock()), run)

    def _isolated(self, work: Callable[[], None], about: str) -> None:
        """Raises RedisError when Redis is away. What stands there and cannot be read is one run's trouble alone."""
        try:
            work()
        except WrittenByNewerVersion:
            pass  # the log has it; it stays there for the version that wrote it
        except TamperedRecord as error:
            if self._broken.get(about) != str(error):
                logger.warning("forged", about=about, what=str(error))
            self._broken[about] = str(error)
        except Exception as failure:
            if isinstance(failure, RedisError) and unavailable_reason(failure):
                raise
            if self._broken.get(about) != repr(failure):
                logger.exception("could not look", about=about)
            self._broken[about] = repr(failure)

    def _with_backoff(self, work: Callable[[], None], key: str) -> None:
        """Unless it failed just before. Slack's trouble is Slack's alone: the runs go on."""
        if not self._patience.may_try(key):
            return
        try:
            work()
            self._patience.succeeded(key)
        except (SlackClientError, OSError, HTTPException) as error:
            self._patience.failed(key, error)
            logger.warning("could not report", about=key, error=str(error))

    def _reconcile(self, run: str) -> None:
        record = self._runs.record(run)
        if record is None:
            return self._handle_lost_run(run)
        if (
            not self._runs.has_job(record)
            and abs(self._clock() - record.requested_at) > REENQUEUE_AFTER
            and self._clock() < record.expires
            and not self._has_events(run, record.job_count)
        ):
            self._runs.enqueue(record)
        view = self._runs.run_state(record)
        fleet = self._runs.fleet_state(view)
        if self._stops(view, fleet):
            return None  # the bell rings: the next look shows it
        if fleet:
            self._advance_fleet(fleet)
        return self._with_backoff(partial(self._publish, view, fleet), run)

    def _publish(self, view: RunState, fleet: FleetState | None) -> None:
        lost_runs.watch_lost(self._runs, view)
        run, message = view.record.run, fleet_message.render_any(view, fleet)
        if self._posted_message(run) is None:
            return None
        has_finished = fleet_status(fleet) == "finished" if fleet else view.status in ("finished", "lost")
        is_final = has_finished or (fleet is None and view.expired)
        try:
            is_current = self._messages.publish(view, message, is_final)
            if is_current:
                self._messages.publish_details(view)
                self._witness.post_for_approvals(view, self._runs.posted_messages.get(run))
            if is_current and is_final:
                self._conclude(view, fleet)
                return self._close(run)
        except SlackApiError as error:
            if error_code(error) in MESSAGE_GONE or (
                error_code(error) == EDIT_WINDOW_CLOSED and (is_final or view.status == "waiting")
            ):
                self._open.pop(run, None)
                return self._runs.posted_messages.delete(run)  # it comes again
            if error_code(error) not in NEEDS_ADMIN:
                raise
            self._messages.notify_requester(view, message, is_final)
            if is_final:
                return self._close(run)
            raise
        position = self._posted_message(run)
        if position is not None:
            self._open[run] = view, position
        return None

    def _posted_message(self, run: str) -> PostedFields | None:
        """What was posted of it; None when Redis was wiped in the middle of this look, and the next finds no run.

        Where somebody deleted or overwrote that alone, this reconciler still knows it.
        """
        _, last_position = self._open.get(run, (None, PostedFields()))
        position = self._runs.posted_messages.get(run)
        if "ts" not in last_position or "ts" in position:
            return position
        if self._runs.record(run) is None:
            return None
        self._runs.posted_messages.update(run, **last_position)
        return last_position

    def _conclude(self, view: RunState, fleet: FleetState | None) -> None:
        if fleet:
            self._messages.upload_report(fleet)
        failpoint("run.closing")

    def _close(self, run: str) -> None:
        self._runs.close(run)
        self._open.pop(run, None)

    def _handle_lost_run(self, run: str) -> None:
        """Redis was wiped. Who watches the run's message is told, if this reconciler knows where that is."""

        def publish_loss() -> None:
            try:
                if run in self._open:
                    self._messages.publish_run_lost(*self._open[run])
            except SlackApiError as error:
                if error_code(error) not in (*MESSAGE_GONE, *NEEDS_ADMIN, EDIT_WINDOW_CLOSED):
                    raise
            self._close(run)

        self._with_backoff(publish_loss, run)

    def _advance_fleet(self, fleet: FleetState) -> None:
        """Begins what may begin: whoever looks next begins the same, and RQ takes each but once."""
        for leg in hosts_to_start(fleet):
            self._runs.start(host_run_record(fleet, leg, self._clock()))
            failpoint("host.started")
        for view, decision in decisions_from_hold(fleet):
            self._runs.decide(view.record, decision)

    def _has_events(self, run: str, job: int) -> bool:
        return self._runs.event_log(run).has_job(job)
