"""Stop the runs of people who no longer have the right to them, after the step that is running.

In: a run as it stands, the rights, and what Slack says of a person. Out: a cancel, signed and in the record.
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
from bot.runs.store import RunStore
from bot.settings import Settings
from bot.slack.users import UserDirectory
from bot.state import fleet_state as fleets
from bot.state.fleet_state import FleetState
from bot.state.run_state import RunState, current_decision
from imker.audit_log import AuditLogBroken
from imker.protocol.commands import Hold, queue_for
from imker.protocol.events import DecisionRequested
from imker.protocol.version import CHANGES_QUEUE

log = structlog.get_logger()
RECHECK_AFTER = 30.0  # seconds until Slack is asked again who somebody is, when it did not say


class Revocation:
    """`clock`: UNIX seconds; `since`: seconds, monotonic."""

    def __init__(
        self,
        settings: Settings,
        client: WebClient,
        runs: RunStore,
        minutes: AuditRecorder,
        clock: Callable[[], float] = time.time,
        since: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._client = client
        self._people = UserDirectory(client, settings.rights.groups, since)
        self._runs = runs
        self._minutes = minutes
        self._clock = clock
        self._since = since
        self._team = settings.team
        self._not_before: dict[str, float] = {}

    def stop_if_revoked(self, view: RunState, fleet: FleetState | None) -> bool:
        """Return whether the run was cancelled just now. Until Slack says who somebody is, it goes on."""
        if not (is_running(view) if fleet is None or fleet.start is None else fleets.is_running(fleet)):
            return False
        held = self._runs.current_hold(view.record.run)
        if held and held.action == "cancel":
            return False
        why = self._find_problem(view, fleet)
        if why:
            self._cancel(view, fleet, why)
        return bool(why)

    def _find_problem(self, view: RunState, fleet: FleetState | None) -> str:
        rights, channels = self._settings.rights, self._settings.channels
        for backer in backers(view.record, self._answered_question(view, fleet)):
            actor = self._actor(backer.user)
            why = find_problem(rights, channels, actor, view.record, backer) if actor else ""
            if why:
                return why
        return ""

    def _answered_question(self, view: RunState, fleet: FleetState | None) -> DecisionRequested | None:
        """The question that the current job follows from; None for the first job, and when the question is gone."""
        if fleet and fleet.start:
            return view.question
        with suppress(TamperedRecord):
            return self._runs.answered_question(view.record)
        return None

    def _actor(self, user: str) -> Actor | None:
        """None while Slack does not say who it is."""
        if self._since() < self._not_before.get(user, 0.0):
            return None
        try:
            self._team = self._team or str(self._client.auth_test()["team_id"])
            actor = self._people.fetch_actor(user, self._team, fresh=False)
        except (SlackClientError, OSError, HTTPException):
            actor = None
        if actor is None or not is_known(actor):
            self._not_before[user] = self._since() + RECHECK_AFTER
        return actor

    def _cancel(self, view: RunState, fleet: FleetState | None, why: str) -> None:
        record, now = view.record, self._clock()
        log.warning("cancelled", run=record.run, why=why)
        with suppress(AuditLogBroken):  # what stops a run needs no record to be whole
            self._minutes.run_stopped(record, why)
        if view.status == "waiting" and view.question and not (fleet and fleet.start):
            self._runs.decide(record, Decision(record.job_count, "cancel", "", now, view.question.fingerprint, why))
        else:
            self._runs.hold(record.run, Hold("cancel", "", now, why))


def is_running(view: RunState) -> bool:
    """Return whether the run changes a host, or would after an answer. A fleet's hosts stop with their fleet."""
    record = view.record
    if record.parent_run:
        return False
    if view.status == "waiting" and view.question:
        return view.question.question in USES and current_decision(view) is None
    return view.status in ("queued", "running") and queue_for(record.command) == CHANGES_QUEUE
