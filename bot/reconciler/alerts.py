"""Post alerts, each once, and edit them when there is nothing left to do.

In: a run's state, and what was posted of it. Out: replies in the run's thread that are also sent to the channel, or
direct messages, as `[slack] notify` says.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import structlog
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot.auth.recipients import limit_people, who_can_answer, who_cannot_answer
from bot.messages import alert as alert_text
from bot.messages.block_kit import Message
from bot.messages.links import add_references
from bot.reconciler.alert_recipients import AlertRecipients, CanAnswer
from bot.reconciler.post_once import post_once
from bot.records import RunRecord
from bot.runs import posted_alerts
from bot.runs.posted_alerts import END_KEY, REMINDER, THREAD, alert_key, message_key
from bot.runs.posted_messages import PostedFields
from bot.runs.store import RunStore
from bot.settings import Settings
from bot.slack.errors import RATE_LIMITED, error_code
from bot.slack.history import edit, history, own_messages, post, replies
from bot.state import alerts as alert_state
from bot.state.alerts import Alert, QuestionState
from bot.state.fleet_state import FleetState
from bot.state.run_state import RunState
from imker.failpoints import failpoint
from imker.protocol.events import DecisionRequested

log = structlog.get_logger()
METADATA = "imker_alert"
MAX_CLOCK_SKEW = 3600  # seconds that the bot's clock may be ahead of Slack's
NOT_EDITABLE = ("message_not_found", "cant_update_message", "edit_window_closed")  # deleted by a person, or too old


@dataclass(frozen=True)
class _Run:
    """The run whose alerts are published. `fields`: what was posted of it; `links`: permalinks, by run."""

    state: RunState
    fleet: FleetState | None
    fields: PostedFields
    links: Mapping[str, str]

    @property
    def run(self) -> str:
        return self.state.record.run


@dataclass(frozen=True)
class _People:
    """Who is alerted. `mentioned`: users and groups; `excluded`: members of these groups who cannot act.

    `are_awaited`: whether an answer of theirs is still missing.
    """

    mentioned: tuple[str, ...]
    excluded: frozenset[str] = frozenset()
    are_awaited: bool = False


@dataclass(frozen=True)
class _Place:
    """An alert in one channel. `channel`: of direct messages, "" for the thread of the run's message."""

    view: _Run
    key: str
    channel: str
    is_open: bool = False

    @property
    def slack_channel(self) -> str:
        return self.channel or self.view.state.record.channel

    @property
    def payload(self) -> dict[str, str]:
        """Return the metadata. A reconciler that starts after Redis was wiped finds open alerts by it."""
        return {"run": self.view.run, "alert": self.key, "over": "no" if self.is_open else "yes"}

    def is_described_by(self, payload: Mapping[str, str]) -> bool:
        return all(payload.get(name) == self.payload[name] for name in ("run", "alert"))


class Alerts:
    """Publish the alerts of runs. Raises what the client raises; calling it again is safe.

    `can_answer`: asks Slack whether a user can answer in a channel.
    """

    def __init__(self, settings: Settings, client: WebClient, runs: RunStore, can_answer: CanAnswer) -> None:
        self._rights = settings.rights
        self._notify = settings.notify
        self._client = client
        self._posted_messages = runs.posted_messages
        self._hosts = runs.hosts
        self._recipients = AlertRecipients(client, settings.notify, can_answer)

    def publish(self, state: RunState, fleet: FleetState | None, fields: PostedFields) -> None:
        """Post and edit the alerts of a run whose message was posted. A fleet's run alerts for its hosts' runs."""
        if state.record.parent_run or not fields.get("ts"):
            return
        states = alert_state.run_states(state, fleet)
        alerts = self._assign(state, states, fields)
        runs = {state.record.run, *(source.run for alert in alerts for source in alert.sources)}
        view = _Run(state, fleet, fields, self._posted_messages.links(runs) if alerts else _own_link(state, fields))
        for alert in alerts:
            self._publish_questions(view, alert, alert_state.describe(alert, states))
        self._publish_end(view)

    def close_lost(self, state: RunState, fields: PostedFields) -> None:
        """Edit the alerts of a run that Redis has lost. `fields`: what was posted of it, as remembered."""
        view = _Run(state, None, fields, _own_link(state, fields))
        for alert in posted_alerts.read_alerts(fields):
            question_states = alert_state.describe(alert, {})
            message = alert_text.question_alert(alert.question, question_states, (), view.links)
            for key in (alert_key(alert), alert_key(alert, REMINDER)):
                for channel in posted_alerts.read_channels(fields, key) or ():
                    if ts := fields.get(message_key(key, channel)):
                        self._edit(_Place(view, key, channel), ts, message)

    def _assign(self, state: RunState, states: Mapping[str, RunState], fields: PostedFields) -> tuple[Alert, ...]:
        """Return the run's alerts, and save new ones and those that got another question."""
        saved = posted_alerts.read_alerts(fields)
        if self._notify == "off":
            return saved

        def may_grow(alert: Alert) -> bool:
            is_open = any(each.status == "open" for each in alert_state.describe(alert, states))
            return is_open and posted_alerts.read_channels(fields, alert_key(alert, REMINDER)) is None

        alerts = alert_state.assign(saved, alert_state.open_questions(states.values()), may_grow)
        for alert in alerts:
            if alert not in saved:
                self._posted_messages.save(state.record.run, fields, **posted_alerts.questions_field(alert))
        return alerts

    def _publish_questions(self, view: _Run, alert: Alert, question_states: tuple[QuestionState, ...]) -> None:
        """Post or edit the alert, and its reminder when that is due."""
        people = self._who_can_answer(question_states)
        is_open = people.are_awaited
        render = partial(alert_text.question_alert, alert.question, question_states, people.mentioned, view.links)
        self._show(view, alert_key(alert), render(), people, may_post=is_open)
        is_due = is_open and self._is_reminder_due(view, alert, question_states)
        self._show(view, alert_key(alert, REMINDER), render(reminder=True), people, may_post=is_due)

    def _publish_end(self, view: _Run) -> None:
        is_needed = self._notify != "off" and alert_state.needs_end_alert(view.state, view.fleet)
        if is_needed or posted_alerts.read_channels(view.fields, END_KEY):
            message = alert_text.end_alert(view.state, view.fleet, view.links)
            message = add_references(message, {}, self._hosts())
            self._show(view, END_KEY, message, _People((view.state.record.requester,)), may_post=is_needed)

    def _who_can_answer(self, question_states: tuple[QuestionState, ...]) -> _People:
        states = [each.state for each in question_states if each.state and each.status == "open"]
        questions = [(state.record, state.question) for state in states if state.question]
        mentioned = tuple(recipient for question in questions for recipient in self._approvers(*question))
        excluded = [who_cannot_answer(self._rights, *question) for question in questions]
        excluded_by_all = frozenset.intersection(*excluded) if excluded else frozenset[str]()
        return _People(limit_people(mentioned), excluded_by_all, are_awaited=bool(questions))

    def _approvers(self, record: RunRecord, question: DecisionRequested) -> tuple[str, ...]:
        """Return whom to mention. A user who is a guest, or is not in the channel, cannot answer."""
        can_answer = partial(self._recipients.can_answer, record.channel)
        return who_can_answer(self._rights, record, question, can_answer)

    def _is_reminder_due(self, view: _Run, alert: Alert, question_states: tuple[QuestionState, ...]) -> bool:
        """Return whether two thirds of the time have passed, and the alert itself is older than that."""
        due = min((each.remind_at for each in question_states if each.remind_at is not None), default=None)
        if due is None or view.state.now < due:
            return False
        channels = posted_alerts.read_channels(view.fields, alert_key(alert)) or ()
        timestamps = [view.fields.get(message_key(alert_key(alert), channel)) for channel in channels]
        return any(float(ts) < due for ts in timestamps if ts)

    def _show(self, view: _Run, key: str, message: Message, people: _People, *, may_post: bool) -> None:
        """Post the message where it goes, or edit it. Without `may_post`, only edit what was posted before."""
        channels = posted_alerts.read_channels(view.fields, key)
        if channels is None and may_post:
            fresh = self._recipients.channels(people.mentioned, people.excluded)
            self._posted_messages.save(view.run, view.fields, **posted_alerts.channels_field(key, fresh))
            channels = fresh or (THREAD,)
        for channel in channels or ():
            try:
                self._show_in(_Place(view, key, channel, people.are_awaited), message, may_post)
            except SlackApiError as error:
                if channel == THREAD or error.response.status_code == RATE_LIMITED or error_code(error) == "":
                    raise
                log.warning("could not alert in a direct message", run=view.run, error=str(error))
                self._posted_messages.save(view.run, view.fields, **{message_key(key, channel): ""})

    def _show_in(self, place: _Place, message: Message, may_post: bool) -> None:
        name, fields = message_key(place.key, place.channel), place.view.fields
        save = partial(self._posted_messages.save, place.view.run, fields)
        digest = hashlib.sha256(message.text.encode()).hexdigest()
        if fields.get(f"{name} digest") == digest:
            return
        find = partial(self._find, place)
        if may_post:
            ts, is_new = post_once(fields, save, name, find, partial(self._send, place, message))
        else:
            is_lost = name not in fields and fields.was_tried(f"{name} tried")
            ts, is_new = find() if is_lost else fields.get(name, ""), False
        if ts and not is_new:
            self._edit(place, ts, message)
        save(**{name: ts, f"{name} digest": digest})

    def _send(self, place: _Place, message: Message) -> str:
        thread = {"thread_ts": place.view.fields["ts"], "reply_broadcast": self._notify != "thread"}
        more = {"unfurl_links": False, **({} if place.channel else thread)}
        ts = post(self._client, place.slack_channel, message, METADATA, place.payload, **more)
        failpoint("alert.posted")
        return ts

    def _edit(self, place: _Place, ts: str, message: Message) -> None:
        """Edit the alert. One that a person deleted, or that is too old, stays as it is."""
        try:
            edit(self._client, place.slack_channel, ts, message, METADATA, place.payload)
        except SlackApiError as error:
            if error_code(error) not in NOT_EDITABLE:
                raise
            log.warning("could not edit an alert", run=place.view.run, ts=ts, error=error_code(error))

    def _find(self, place: _Place) -> str:
        """Return the ts of this alert, "" if it is not there."""
        record, thread = place.view.state.record, place.view.fields["ts"]
        messages = (
            history(self._client, place.channel, record.requested_at - MAX_CLOCK_SKEW)
            if place.channel
            else replies(self._client, record.channel, thread)
        )
        matches = own_messages(self._client, messages, METADATA)
        same = (message for message, payload in matches if place.is_described_by(payload))
        return next((str(message["ts"]) for message in same), "")


def _own_link(state: RunState, fields: PostedFields) -> dict[str, str]:
    return {state.record.run: fields.get("link", "")}
