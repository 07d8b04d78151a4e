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

from bot import fleet as fleets
from bot.decisions import Forged
from bot.fleet import FleetView
from bot.minutes import Minutes
from bot.people import People
from bot.policy import Actor
from bot.progress import RunView, decided
from bot.record import Decision
from bot.runs import Runs
from bot.settings import Settings
from bot.standing import ON, backers, known, objection
from imker.audit import RecordBroken
from jobs.contract import CHANGES, Hold, Waiting, queue_of

log = structlog.get_logger()
AGAIN = 30.0  # seconds until Slack is asked again who somebody is, when it did not say


class Revocation:
    """`clock`: UNIX seconds; `since`: seconds, monotonic."""

    def __init__(
        self,
        settings: Settings,
        client: WebClient,
        runs: Runs,
        minutes: Minutes,
        clock: Callable[[], float] = time.time,
        since: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._client = client
        self._people = People(client, settings.rights.groups, since)
        self._runs = runs
        self._minutes = minutes
        self._clock = clock
        self._since = since
        self._team = settings.team
        self._not_before: dict[str, float] = {}

    def stops(self, view: RunView, fleet: FleetView | None) -> bool:
        """Return whether the run was cancelled just now. Until Slack says who somebody is, it goes on."""
        if not (goes_on(view) if fleet is None or fleet.start is None else fleets.goes_on(fleet)):
            return False
        held = self._runs.held(view.record.run)
        if held and held.what == "cancel":
            return False
        why = self._objection(view, fleet)
        if why:
            self._cancel(view, fleet, why)
        return bool(why)

    def _objection(self, view: RunView, fleet: FleetView | None) -> str:
        rights, channels = self._settings.rights, self._settings.channels
        for backer in backers(view.record, self._answered(view, fleet)):
            actor = self._actor(backer.user)
            why = objection(rights, channels, actor, view.record, backer) if actor else ""
            if why:
                return why
        return ""

    def _answered(self, view: RunView, fleet: FleetView | None) -> Waiting | None:
        """The question that the current job follows from; None for the first job, and when the question is gone."""
        if fleet and fleet.start:
            return view.waiting
        with suppress(Forged):
            return self._runs.answered(view.record)
        return None

    def _actor(self, user: str) -> Actor | None:
        """None while Slack does not say who it is."""
        if self._since() < self._not_before.get(user, 0.0):
            return None
        try:
            self._team = self._team or str(self._client.auth_test()["team_id"])
            actor = self._people.actor(user, self._team, fresh=False)
        except (SlackClientError, OSError, HTTPException):
            actor = None
        if actor is None or not known(actor):
            self._not_before[user] = self._since() + AGAIN
        return actor

    def _cancel(self, view: RunView, fleet: FleetView | None, why: str) -> None:
        record, now = view.record, self._clock()
        log.warning("cancelled", run=record.run, why=why)
        with suppress(RecordBroken):  # what stops a run needs no record to be whole
            self._minutes.stopped(record, why)
        if view.state == "waiting" and view.waiting and not (fleet and fleet.start):
            self._runs.decide(record, Decision(record.jobs, "cancel", "", now, view.waiting.fingerprint, why))
        else:
            self._runs.hold(record.run, Hold("cancel", "", now, why))


def goes_on(view: RunView) -> bool:
    """Return whether the run changes a host, or would after an answer. A fleet's hosts stop with their fleet."""
    record = view.record
    if record.part_of:
        return False
    if view.state == "waiting" and view.waiting:
        return view.waiting.question in ON and decided(view) is None
    return view.state in ("queued", "running") and queue_of(record.command) == CHANGES
