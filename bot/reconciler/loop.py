"""Reconcile every open run: load, fold, render, and publish. Fleets start their next hosts first."""

import time
from collections.abc import Callable, Mapping
from functools import partial
from http.client import HTTPException
from types import MappingProxyType

import structlog
from redis.exceptions import RedisError
from slack_sdk.errors import SlackApiError, SlackClientError

from bot.messages.block_kit import Message
from bot.messages.links import add_references, run_ids
from bot.messages.runs import fleet_message
from bot.reconciler.alerts import Alerts
from bot.reconciler.audit_checkpoints import AuditCheckpoints
from bot.reconciler.backoff import Backoff
from bot.reconciler.fleets import FleetAdvancer, StopIfRevoked
from bot.reconciler.lost_run_recheck import recheck_lost, watch_lost
from bot.reconciler.metrics.run_observer import RunObserver
from bot.reconciler.orphaned_messages import OrphanedMessages
from bot.reconciler.publisher import Publisher
from bot.runs.decisions import TamperedRecord, WrittenByNewerVersion
from bot.runs.posted_messages import PostedFields
from bot.runs.snapshots import RunSnapshot
from bot.runs.store import RunStore
from bot.slack.errors import NEEDS_ADMIN, error_code
from bot.state import fleet_state
from bot.state.fleet_state import FleetState
from bot.state.run_state import RunState
from imker.failpoints import failpoint
from imker.redis_errors import unavailable_reason

logger = structlog.get_logger()
REENQUEUE_AFTER = 5.0  # seconds without a job and without an event after which a run is enqueued again
MESSAGE_GONE = ("message_not_found", "cant_update_message", "thread_not_found")
EDIT_WINDOW_CLOSED = "edit_window_closed"  # the workspace limits how long messages can be edited
CHECKPOINTS, ORPHANS, LOST_RUNS = "audit checkpoints", "orphaned messages", "lost runs"  # keys of other tasks than runs


class Reconciler:
    """Bring every open run's message up to date and start the next hosts of a fleet.

    `clock`: UNIX seconds; `stop_if_revoked`: cancels the run if its users have lost their rights, and returns whether
    it did; `more_tasks`: by name, what else is done in each pass; `observer`: gets every state of a run.
    """

    def __init__(
        self,
        runs: RunStore,
        publisher: Publisher,
        checkpoints: AuditCheckpoints,
        orphans: OrphanedMessages,
        alerts: Alerts,
        clock: Callable[[], float] = time.time,
        backoff: Backoff | None = None,
        stop_if_revoked: StopIfRevoked = lambda snapshot, fleet: False,
        more_tasks: Mapping[str, Callable[[], None]] = MappingProxyType({}),
        observer: RunObserver | None = None,
    ) -> None:
        self._runs = runs
        self._publisher = publisher
        self._checkpoints = checkpoints
        self._alerts = alerts
        self._clock = clock
        self._backoff = backoff or Backoff()
        self._stop_if_revoked = stop_if_revoked
        self._observer = observer or RunObserver()
        self._tasks = {CHECKPOINTS: checkpoints.post_daily, ORPHANS: orphans.mark_lost, **more_tasks}
        self.fleets = FleetAdvancer(runs, stop_if_revoked, clock)
        self._open: dict[str, tuple[RunState, PostedFields]] = {}  # by run, as last published
        self._listed: frozenset[str] = frozenset()  # the open runs of this pass
        self._logged: dict[str, str] = {}  # errors by run or task; each is logged once

    def reconcile_all(self, is_leader: Callable[[], bool] = lambda: True) -> None:
        """Reconcile every open run once, while this process leads. An error in one run does not affect the others."""
        started_at = time.monotonic()
        self._isolated(self._recheck_lost_runs, LOST_RUNS)
        open_runs = self._runs.open_runs()
        self._listed = frozenset(open_runs)
        for run in dict.fromkeys((*open_runs, *self._open)):
            if not is_leader():
                return
            self._isolated(partial(self._reconcile, run), run)
        for key, work in self._tasks.items():
            self._isolated(partial(self._with_backoff, work, key), key)
        self._observer.recorder.pass_ended(time.monotonic() - started_at)

    def _recheck_lost_runs(self) -> None:
        for run, until in self._runs.lost.all():
            self._isolated(partial(recheck_lost, self._runs, run, until, self._clock()), run)

    def _isolated(self, work: Callable[[], None], key: str) -> None:
        """Run `work` and log its error once. Raise RedisError only if Redis is unavailable."""
        try:
            work()
        except WrittenByNewerVersion:
            pass  # already logged; the version that wrote it handles it
        except TamperedRecord as error:
            if self._logged.get(key) != str(error):
                logger.warning("invalid signature in Redis", about=key, problem=str(error))
            self._logged[key] = str(error)
        except Exception as error:
            if isinstance(error, RedisError) and unavailable_reason(error):
                raise
            if self._logged.get(key) != repr(error):
                logger.exception("could not reconcile", about=key)
            self._logged[key] = repr(error)

    def _with_backoff(self, work: Callable[[], None], key: str) -> None:
        """Run `work` unless it failed recently. An error of Slack does not stop the run itself."""
        if not self._backoff.may_try(key):
            return
        try:
            work()
            self._backoff.succeeded(key)
        except (SlackClientError, OSError, HTTPException) as error:
            self._backoff.failed(key, error)
            self._observer.recorder.slack_failed(error_code(error) or type(error).__name__)
            logger.warning("could not publish", about=key, error=str(error))

    def _reconcile(self, run: str) -> None:
        snapshot = self._runs.snapshot(run)
        if snapshot is None:
            return self._handle_lost_run(run)
        self._observer.observe(snapshot.state)
        if self._is_job_missing(snapshot):
            self._runs.enqueue(snapshot.record, snapshot.answered_question())
        fleet = self._runs.fleet_state(snapshot)
        if self._stop_if_revoked(snapshot, fleet):
            return None  # this sends a wake-up; the next pass publishes the result
        if fleet:
            self.fleets.advance(fleet)
        return self._with_backoff(partial(self._publish, snapshot.state, fleet), run)

    def _is_job_missing(self, snapshot: RunSnapshot) -> bool:
        record, now = snapshot.record, self._clock()
        if snapshot.has_started or abs(now - record.requested_at) <= REENQUEUE_AFTER or now >= record.expires:
            return False
        return not self._runs.has_job(record)

    def _publish(self, state: RunState, fleet: FleetState | None) -> None:
        watch_lost(self._runs, state)
        run, message = state.record.run, self._render(state, fleet)
        fields = self._posted_message(run)
        if fields is None:
            return None
        is_final = fleet_state.is_final(state, fleet)
        try:
            is_current = self._publisher.publish(state, message, is_final, fields)
            if is_current:
                self._publisher.save_link(state.record, fields)
                self._publisher.publish_details(state, fields)
                self._checkpoints.post_for_approvals(state, fields)
                self._alerts.publish(state, fleet, fields)
                self._alert_for_fleet(state.record.parent_run)
            if is_current and is_final:
                self._conclude(fleet, fields)
                return self._close(run)
        except SlackApiError as error:
            return self._handle_publish_error(error, state, message, is_final, fields)
        self._open[run] = state, fields
        return None

    def _render(self, state: RunState, fleet: FleetState | None) -> Message:
        """Return the run's message, with links to the other runs that it names, and hosts as code."""
        message = fleet_message.render_any(state, fleet)
        links = self._runs.posted_messages.links(run_ids(message) - {state.record.run})
        return add_references(message, links, self._runs.hosts())

    def _alert_for_fleet(self, fleet_run: str) -> None:
        """Publish the alerts of a closed fleet, as long as one of its hosts is open. An open one does so itself."""
        if not fleet_run or fleet_run in self._listed:
            return
        snapshot = self._runs.snapshot(fleet_run)
        fields = self._runs.posted_messages.get(fleet_run)
        if snapshot:
            fleet = self._runs.fleet_state(snapshot)
            publish = partial(self._alerts.publish, snapshot.state, fleet, fields)
            self._with_backoff(publish, f"alerts of {fleet_run}")

    def _handle_publish_error(
        self, error: SlackApiError, state: RunState, message: Message, is_final: bool, fields: PostedFields
    ) -> None:
        """Post the message again if it cannot be edited, or notify the requester if the channel takes no messages.

        Raise any other error, and one of a channel while the run is open, so that it is tried again.
        """
        run, code = state.record.run, error_code(error)
        window_closed = code == EDIT_WINDOW_CLOSED and (is_final or state.status == "waiting")
        if code in MESSAGE_GONE or window_closed:
            self._open.pop(run, None)
            return self._runs.posted_messages.delete(run)  # the next pass posts it again
        if code not in NEEDS_ADMIN:
            raise error
        self._publisher.notify_requester(state, message, is_final, fields)
        if not is_final:
            raise error
        return self._close(run)

    def _posted_message(self, run: str) -> PostedFields | None:
        """Return what was posted of the run; None if Redis was wiped during this pass, so that the run is gone.

        If only this was deleted or overwritten in Redis, restore it from memory.
        """
        _, remembered = self._open.get(run, (None, PostedFields()))
        fields = self._runs.posted_messages.get(run)
        if "ts" not in remembered or "ts" in fields:
            return fields
        if self._runs.record(run) is None:
            return None
        self._runs.posted_messages.update(run, **remembered)
        return remembered

    def _conclude(self, fleet: FleetState | None, fields: PostedFields) -> None:
        if fleet:
            self._publisher.upload_report(fleet, fields)
        failpoint("run.closing")

    def _close(self, run: str) -> None:
        self._runs.close(run)
        self._open.pop(run, None)
        self._observer.forget(run)

    def _handle_lost_run(self, run: str) -> None:
        """Mark the message of a run that Redis has lost, if this process knows where it is, and close the run."""

        def publish_loss() -> None:
            try:
                if run in self._open:
                    self._publisher.publish_run_lost(*self._open[run])
                    self._alerts.close_lost(*self._open[run])
            except SlackApiError as error:
                if error_code(error) not in (*MESSAGE_GONE, *NEEDS_ADMIN, EDIT_WINDOW_CLOSED):
                    raise
            self._close(run)

        self._with_backoff(publish_loss, run)
