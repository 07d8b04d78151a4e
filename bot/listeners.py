"""What Slack delivers, taken in: acknowledge, understand, check the right, record and enqueue, or answer in private.

Nothing slow stands before the acknowledgement, and nothing is ever met with silence.
"""

import time
from collections.abc import Callable
from typing import Any

import structlog
from redis.exceptions import RedisError
from slack_bolt import Ack, App
from slack_sdk import WebClient

from bot import audit_table, blocks, steering
from bot.grammar import Decide, Misuse, ShowAudit, ShowHelp, ShowStatus, Steer, Wanted, normalised, parse, right_of
from bot.kit import Answer, Message
from bot.minutes import Minutes
from bot.people import People
from bot.policy import Denied, authorize, authorize_decision, may
from bot.record import Decision, RunRecord, Verdict, run_id
from bot.runs import Runs
from bot.settings import Settings
from bot.steering import Steering
from imker.audit import Audit, RecordBroken
from jobs.contract import Accept, Doctor, Finding, Hold, Reject

log = structlog.get_logger()
RECENT = 12  # runs in a status list
Body = dict[str, Any]
Examine = Callable[[], tuple[Finding, ...]]


class Desk:
    """Where commands and clicks are dealt with, however they came."""

    def __init__(
        self, settings: Settings, runs: Runs, people: People, team: str, audit: Audit, examine: Examine
    ) -> None:
        self._audit = audit
        self._examine = examine
        self.minutes = Minutes(audit)
        self._settings = settings
        self._runs = runs
        self._people = people
        self._team = team

    def command(self, user: str, channel: str, text: str, delivery: str, url: str, answer: Answer) -> None:
        """`delivery`: Slack's own ID of it, the same when it delivers twice; `url`: where a late word can go."""
        wanted = parse(text, hosts=self._runs.hosts())
        if isinstance(wanted, Misuse):
            return answer(blocks.misuse(wanted))
        right = right_of(wanted)
        actor = self._people.actor(user, self._team, fresh=right in ("change", "accept"))
        checked = authorize(self._settings.rights, self._settings.channels, actor, right, channel)
        if isinstance(checked, Denied) and not isinstance(wanted, Decide):
            return answer(blocks.denied(checked))
        if isinstance(wanted, ShowHelp | ShowStatus | ShowAudit):
            self.minutes.asked(user, channel, delivery, f"/swarm {normalised(text).strip()}")
        match wanted:
            case ShowHelp():
                return answer(blocks.help_for(may(self._settings.rights, actor)))
            case ShowStatus(run):
                return answer(self._status(run))
            case Doctor():
                self._start(wanted, user, channel, normalised(text), delivery, url, answer)
                return answer(blocks.checkup(self._examine()))
            case ShowAudit(about):
                return answer(audit_table.shown(audit_table.about(self._audit.newest(), about), about))
            case Steer(run, what):
                return self._steer(user, channel, run, what, delivery, url, answer)
            case Decide(target, verdict):
                return self._decide_typed(user, channel, target, verdict, delivery, answer)
            case _:
                return self._start(wanted, user, channel, normalised(text), delivery, url, answer)

    def click(self, user: str, channel: str, value: str, verdict: Verdict, answer: Answer) -> None:
        """`value`: the run and the job whose question the button stood under."""
        run, _, job = value.partition(":")
        record = self._runs.record(run) if job.isdigit() else None
        if record is None or record.channel != channel:
            return answer(blocks.note("There is no such request any more."))
        return self._decide(user, record, int(job), verdict, answer)

    def _start(
        self, wanted: Wanted, user: str, channel: str, text: str, delivery: str, url: str, answer: Answer
    ) -> None:
        assert not isinstance(wanted, ShowStatus | ShowHelp | ShowAudit | Decide | Steer)
        words = " ".join(text.split())
        record = RunRecord(run_id(delivery), wanted, words, user, channel, time.time())
        self.minutes.started(record)
        self._runs.start(record, url)

    def _steer(
        self, user: str, channel: str, run: str | None, what: Steering, delivery: str, url: str, answer: Answer
    ) -> None:
        """Pause, resume, cancel, retry. What waits for a word gets it; what goes on is held between two steps."""
        record = self._runs.record(run) if run else self._only(channel, what)
        if record is None or record.channel != channel:
            which = f"There is no run {run} here." if run else f"Which run? There is not just one to {what} here."
            return answer(blocks.note(f"{which} /swarm status lists them."))
        match self._word(record, what):
            case steering.Start(command, text):
                return self._start(command, user, channel, text, delivery, url, answer)
            case steering.Answer(verdict):
                return self._decide(user, record, record.jobs, verdict, answer)
            case steering.Holding(kind, says):
                self.minutes.held(user, record, delivery, kind)
                self._runs.hold(record.run, Hold(kind, user, time.time()))
                return answer(blocks.said(says))
            case steering.No(says):
                return answer(blocks.note(says))

    def _word(self, record: RunRecord, what: Steering) -> steering.Word:
        view = self._runs.view(record)
        return steering.steer(view, self._runs.fleet(view), what)

    def _only(self, channel: str, what: Steering) -> RunRecord | None:
        """The one run that the word can be meant for; a fleet's rather than those of its hosts."""
        records = [record for run in self._runs.open_runs() if (record := self._runs.record(run))]
        meant = [record for record in records if record.channel == channel and not record.part_of]
        able = [record for record in meant if not isinstance(self._word(record, what), steering.No)]
        return able[0] if len(able) == 1 else None

    def _decide_typed(
        self, user: str, channel: str, target: str, verdict: Verdict, delivery: str, answer: Answer
    ) -> None:
        """The same gate as the buttons'; a node that waits without a run gets a run of its own."""
        record = self._runs.waiting_for(target)
        if record is not None and record.channel == channel:
            return self._decide(user, record, record.jobs, verdict, answer)
        if verdict in ("continue", "cancel"):
            return answer(blocks.note(f"There is no run {target} that waits here. /swarm status lists them."))
        checked = self._checked(user, channel, None, verdict)
        if isinstance(checked, Denied):
            return answer(blocks.denied(checked))
        command = Accept(target) if verdict == "accept" else Reject(target, verdict == "remove")
        typed = f"{command.type} {target}"
        return self._start(command, user, channel, typed, delivery, "", answer)

    def _decide(self, user: str, record: RunRecord, job: int, verdict: Verdict, answer: Answer) -> None:
        checked = self._checked(user, record.channel, record, verdict)
        if isinstance(checked, Denied):
            return answer(blocks.denied(checked))
        current = self._runs.record(record.run) or record
        if job != current.jobs or self._runs.view(current).waiting is None:
            return answer(blocks.note(_too_late(current)))
        decision = Decision(job, verdict, user, time.time())
        holds = self._runs.decide(current, decision)
        if holds != decision:
            return answer(blocks.note(_too_late(self._runs.record(record.run) or current)))
        return self.minutes.decided(current, decision)

    def _checked(self, user: str, channel: str, record: RunRecord | None, verdict: Verdict) -> object:
        actor = self._people.actor(user, self._team, fresh=True)
        here = authorize(self._settings.rights, self._settings.channels, actor, "", channel)
        return here if isinstance(here, Denied) else authorize_decision(self._settings.rights, actor, record, verdict)

    def _status(self, run: str | None) -> Message:
        if run is None:
            return blocks.status_list([self._runs.view(record) for record in self._runs.recent(RECENT)])
        record = self._runs.record(run)
        if record is None:
            return blocks.note(f"There is no run {run}. /swarm status lists the last ones.")
        return blocks.render(self._runs.view(record))


def _too_late(record: RunRecord) -> str:
    if not record.decisions:
        return f"Run {record.run} asks nothing now. /swarm status {record.run} shows it."
    last = record.decisions[-1]
    return f"That is decided already: {last.verdict}, by <@{last.by}>."


def register(app: App, desk: Desk) -> None:
    """The slash command, the mention and the buttons, each acknowledged first."""

    @app.command("/swarm")
    def on_command(ack: Ack, body: Body, client: WebClient, respond: Any) -> None:
        ack()
        user, channel, text = body["user_id"], body["channel_id"], body.get("text") or ""
        answer = _privately(lambda message: respond(text=message.text, blocks=list(message.blocks)))
        heard = desk.minutes.heard(user, channel, body["trigger_id"], f"/swarm {text}", answer)
        url = body.get("response_url", "")
        _guarded(lambda: desk.command(user, channel, text, body["trigger_id"], url, heard), answer)

    @app.event("app_mention")
    def on_mention(event: Body, body: Body, client: WebClient) -> None:
        user, channel, text = event.get("user", ""), event["channel"], event.get("text", "")
        answer = _privately(
            lambda message: client.chat_postEphemeral(
                channel=channel, user=user, text=message.text, blocks=list(message.blocks)
            )
        )
        heard = desk.minutes.heard(user, channel, body["event_id"], text, answer)
        _guarded(lambda: desk.command(user, channel, text, body["event_id"], "", heard), answer)

    for action in ("accept", "reject", "continue", "start", "cancel"):
        _on_button(app, desk, action)


def _on_button(app: App, desk: Desk, verdict: Verdict) -> None:
    @app.action(f"run.{verdict}")
    def on_button(ack: Ack, body: Body, action: Body, respond: Any) -> None:
        ack()
        answer = _privately(
            lambda message: respond(
                text=message.text, blocks=list(message.blocks), response_type="ephemeral", replace_original=False
            )
        )
        user, channel, value = body["user"]["id"], (body.get("channel") or {}).get("id", ""), action.get("value", "")
        heard = desk.minutes.heard(user, channel, body["trigger_id"], f"button {verdict} {value}", answer)
        _guarded(lambda: desk.click(user, channel, value, verdict, heard), answer)


def _privately(send: Callable[[Message], Any]) -> Answer:
    def answer(message: Message) -> None:
        send(message)

    return answer


def _guarded(work: Callable[[], None], answer: Answer) -> None:
    """A command that could not be recorded is refused in words; it was not started."""
    try:
        work()
    except RedisError:
        log.exception("Redis does not answer")
        answer(blocks.said("Not started: Redis does not answer. Nothing was changed; try again in a minute."))
    except RecordBroken:
        log.exception("the record takes no entry")
        answer(
            blocks.said("Not started: the record takes no entry. `python -m bot audit verify` says where it breaks.")
        )
