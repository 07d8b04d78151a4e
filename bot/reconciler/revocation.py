"""Cancel the runs of users who have lost the right to them. A running step finishes first.

In: a run's state, the rights, and users in Slack. Out: a signed cancel, recorded in the audit log.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPException

import structlog
from slack_sdk import WebClient
from slack_sdk.errors import SlackClientError

from bot.auth.policy import Actor
from bot.auth.standing import USES, backers, find_problem, is_known
from bot.handlers.audit import AuditRecorder
from bot.records import Decision
from bot.runs.decisions import TamperedRecord
from bot.runs.snapshots import RunSnapshot
from bot.runs.store import RunStore
from bot.settings import Settings
from bot.slack.users import UserDirectory
from bot.state import fleet_state as fleets
from bot.state.fleet_state import FleetState
from bot.state.run_state import RunState, current_decision
from imker.audit_log import AuditLogBroken
from imker.protocol.commands import Hold
from imker.protocol.events import DecisionRequested
from imker.protocol.version import CHANGES_QUEUE

log = structlog.get_logger()
RECHECK_AFTER = 30.0  # seconds until the next try after Slack did not return a user


class Revocation:
    """`clock`: UNIX seconds; `monotonic`: monotonic seconds."""

    def __init__(
        self,
        settings: Settings,
        client: WebClient,
        runs: RunStore,
        audit: AuditRecorder,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._client = client
        self._users = UserDirectory(client, settings.rights.groups, monotonic)
        self._runs = runs
        self._audit = audit
        self._clock = clock
        self._monotonic = monotonic
        self._team = settings.team
        self._retry_at: dict[str, float] = {}  # by user

    def stop_if_revoked(self, snapshot: RunSnapshot, fleet: FleetState | None) -> bool:
        """Return whether the run was cancelled just now. While Slack does not return a user, the run continues."""
        state = snapshot.state
        if not (is_running(state) if fleet is None or fleet.start is None else fleets.is_running(fleet)):
            return False
        if snapshot.hold and snapshot.hold.action == "cancel":
            return False
        reason = self._find_problem(snapshot, fleet)
        if reason:
            self._cancel(state, fleet, reason)
        return bool(reason)

    def _find_problem(self, snapshot: RunSnapshot, fleet: FleetState | None) -> str:
        rights, channels = self._settings.rights, self._settings.channels
        for backer in backers(snapshot.record, _answered_question(snapshot, fleet)):
            actor = self._actor(backer.user)
            problem = find_problem(rights, channels, actor, snapshot.record, backer) if actor else ""
            if problem:
                return problem
        return ""

    def _actor(self, user: str) -> Actor | None:
        """Return the user; None while Slack does not return it."""
        if self._monotonic() < self._retry_at.get(user, 0.0):
            return None
        try:
            self._team = self._team or str(self._client.auth_test()["team_id"])
            actor = self._users.fetch_actor(user, self._team, fresh=False)
        except (SlackClientError, OSError, HTTPException):
            actor = None
        if actor is None or not is_known(actor):
            self._retry_at[user] = self._monotonic() + RECHECK_AFTER
        return actor

    def _cancel(self, state: RunState, fleet: FleetState | None, reason: str) -> None:
        record, now = state.record, self._clock()
        log.warning("cancelled a run whose user lost the right to it", run=record.run, reason=reason)
        with suppress(AuditLogBroken):  # a cancel takes effect even if it cannot be recorded
            self._audit.run_stopped(record, reason)
        if state.status == "waiting" and state.question and not (fleet and fleet.start):
            self._runs.decide(record, Decision(record.job_count, "cancel", "", now, state.question.fingerprint, reason))
        else:
            self._runs.hold(record.run, Hold("cancel", "", now, reason))


def _answered_question(snapshot: RunSnapshot, fleet: FleetState | None) -> DecisionRequested | None:
    """Return the question that led to the current job; None for the first job, or if the question is gone."""
    if fleet and fleet.start:
        return snapshot.state.question
    with suppress(TamperedRecord):
        return snapshot.answered_question()
    return None


def is_running(state: RunState) -> bool:
    """Return whether the run changes a host, or would after a decision. The hosts of a fleet stop with their fleet."""
    record = state.record
    if record.parent_run:
        return False
    if state.status == "waiting" and state.question:
        return state.question.question in USES and current_decision(state) is None
    return state.status in ("queued", "running") and record.command.queue == CHANGES_QUEUE
