"""Where commands and clicks are dealt with, however they came: understand, check the right, record and enqueue, or

answer in private. Nothing is ever met with silence.
"""

import re
from collections.abc import Callable
from dataclasses import replace

from bot import answers, audit_table, objections, status, steering
from bot.grammar import Decide, Misuse, ShowAudit, ShowHelp, ShowStatus, Steer, Wanted, parse
from bot.inbox import Delivery
from bot.kit import Answer, Message
from bot.minutes import Minutes
from bot.need import Need, host_of, of_command
from bot.people import People
from bot.policy import RIGHT_OF, Actor, Allowed, Denied, authorize, authorize_answer, may, outsider
from bot.record import Decision, RunRecord, Verdict, run_id
from bot.runs import Runs
from bot.settings import Settings
from bot.spelling import normalised
from bot.steering import Steering
from imker.audit import Audit
from imker.fault import fault
from jobs.contract import Accept, Doctor, Finding, Hold, Reject

MOST = 500  # runs that go on or wait, in all channels
LOOKED, RECENT = 200, 12  # runs looked through; of those that are over, how many a status lists
Examine = Callable[[], tuple[Finding, ...]]


class Desk:
    """`team`: this workspace's ID; `examine`: the doctor's look at what the bot needs."""

    def __init__(
        self, settings: Settings, runs: Runs, people: People, team: str, audit: Audit, examine: Examine
    ) -> None:
        self._audit = audit
        self._examine = examine
        self.minutes = Minutes(audit, self.outsider)
        self._settings = settings
        self._runs = runs
        self._people = people
        self._team = team

    def command(self, delivery: Delivery, answer: Answer) -> None:
        user, channel, text = delivery.user, delivery.channel, delivery.text
        wanted = parse(text, hosts=self._runs.hosts())
        if isinstance(wanted, Misuse):
            return answer(self._misuse(wanted, user, channel))
        need = of_command(wanted)
        actor = self._people.actor(user, self._team, fresh=RIGHT_OF[need.verb] in ("change", "accept"))
        checked = self._authorized(actor, need, channel)
        if isinstance(checked, Denied) and not isinstance(wanted, Decide | Steer):
            return answer(answers.denied(checked))
        if isinstance(wanted, ShowHelp | ShowStatus | ShowAudit):
            self.minutes.asked(user, channel, delivery.id, f"/swarm {normalised(text).strip()}")
        match wanted:
            case ShowHelp():
                return answer(answers.help_for(self._mine(actor, channel), self._runs.hosts()))
            case ShowStatus(run):
                return answer(self._status(actor, channel, run))
            case Doctor():
                self._start(wanted, actor, normalised(text), delivery, answer)
                return answer(answers.checkup(self._examine()))
            case ShowAudit(about):
                within = checked.within if isinstance(checked, Allowed) else ()
                found = audit_table.about(self._audit.newest(), about, channel, within)
                return answer(audit_table.shown(found, about))
            case Steer():
                return self._steer(wanted, actor, checked, delivery, answer)
            case Decide():
                return self._decide_typed(wanted, actor, checked, delivery, answer)
            case _:
                return self._start(wanted, actor, normalised(text), delivery, answer)

    def click(self, delivery: Delivery, verdict: Verdict, answer: Answer) -> None:
        """Its text is the button's value: the run, and the job whose question the button stood under."""
        run, _, job = delivery.text.partition(":")
        record = self._runs.record(run) if re.fullmatch(r"[0-9]{1,6}", job) else None
        here = record is not None and record.channel == delivery.channel
        if record is None or not here or self._runs.posted.of(run).get("ts") != delivery.message:
            return answer(answers.note("There is no such request any more."))
        return self._decide(delivery, record, int(job), verdict, answer)

    def _misuse(self, wrong: Misuse, user: str, channel: str) -> Message:
        """Near misses are for those who may ask; what others typed is kept as little as theirs."""
        actor = self._people.actor(user, self._team, fresh=False)
        here = self._authorized(actor, Need("help"), channel)
        if isinstance(here, Denied):
            return replace(answers.denied(here), refusal="misuse")
        return answers.misuse(wrong, self._mine(actor, channel), self._runs.hosts())

    def outsider(self, user: str) -> str:
        """Return what kind of person without any right this is, "" for people with one."""
        return outsider(self._settings.rights, self._people.actor(user, self._team, fresh=False))

    def _mine(self, actor: Actor, channel: str) -> answers.Mine:
        return may(self._settings.rights, self._settings.channels, actor, channel)

    def _start(self, wanted: Wanted, actor: Actor, text: str, delivery: Delivery, answer: Answer) -> None:
        assert not isinstance(wanted, ShowStatus | ShowHelp | ShowAudit | Decide | Steer)
        need = of_command(wanted)
        checked = self._authorized(actor, need, delivery.channel)
        if isinstance(checked, Denied):
            return answer(answers.denied(checked))
        if len(self._runs.open_runs()) >= MOST:
            return answer(answers.too_many(MOST))
        within = (need.host,) if need.host else checked.within
        record = RunRecord(
            run_id(delivery.id),
            wanted,
            " ".join(text.split()),
            actor.user,
            delivery.channel,
            delivery.at,
            within=within,
        )
        self.minutes.started(record)
        fault("run.recording")
        self._runs.start(record, delivery.url)
        return None

    def _steer(
        self, wanted: Steer, actor: Actor, checked: Allowed | Denied, delivery: Delivery, answer: Answer
    ) -> None:
        """What waits for a word gets it; what goes on is held between two steps. Who asked may call off."""
        run, what, channel = wanted.run, wanted.what, delivery.channel
        here, before = self._authorized(actor, Need("help"), channel), self._held_before(actor, what, delivery)
        if before and isinstance(here, Allowed):
            return answer(answers.said(steering.later(before, what)))
        found = self._runs.record(run) if run else self._only(channel, what)
        record = found if found and found.channel == channel else None
        own = record is not None and what == "cancel" and record.asker == actor.user
        wrong = here if own else self._authorized(actor, Need(what, host_of(record)), channel) if record else checked
        if isinstance(wrong, Denied):
            return answer(answers.denied(wrong))
        if record is None:
            which = f"There is no run {run} here." if run else f"Which run? There is not just one to {what} here."
            return answer(answers.note(f"{which} /swarm status lists them."))
        match self._word(record, what):
            case steering.Start(command, text):
                return self._start(command, actor, text, delivery, answer)
            case steering.Answer(verdict):
                return self._decide(delivery, record, record.jobs, verdict, answer)
            case steering.Holding(kind, says):
                self.minutes.held(actor.user, record, delivery.id, kind)
                self._runs.hold(record.run, Hold(kind, actor.user, delivery.at))
                return answer(answers.said(says))
            case steering.No(says):
                return answer(answers.note(says))

    def _held_before(self, actor: Actor, what: Steering, delivery: Delivery) -> str:
        """The run that this very word holds already: a bot that died over it had no time to say so. "" for none."""
        held = ((run, self._runs.held(run)) for run in self._runs.open_runs())
        said = (what, actor.user, delivery.at)
        return next((run for run, hold in held if hold and (hold.what, hold.by, hold.at) == said), "")

    def _word(self, record: RunRecord, what: Steering) -> steering.Word:
        return steering.steer(*self._run(record), what)

    def _only(self, channel: str, what: Steering) -> RunRecord | None:
        """The one run that the word can be meant for; a fleet's rather than those of its hosts."""
        meant = [record for record in self._runs.open_records() if record.channel == channel and not record.part_of]
        able = [record for record in meant if not isinstance(self._word(record, what), steering.No)]
        return able[0] if len(able) == 1 else None

    def _decide_typed(
        self, wanted: Decide, actor: Actor, checked: Allowed | Denied, delivery: Delivery, answer: Answer
    ) -> None:
        """The same gate as the buttons'; a node that waits without a run gets a run of its own, which asks."""
        target, verdict = wanted.target, wanted.verdict
        found = self._runs.waiting_for(target, delivery.channel)
        if len(found) == 1:
            late = verdict == "accept" and self._runs.view(found[0]).expired
            return self._decide(delivery, found[0], found[0].jobs, "again" if late else verdict, answer)
        if isinstance(checked, Denied):
            return answer(answers.denied(checked))
        if found:
            return answer(
                answers.several(target, [record for record in found if self._visible(actor, record.channel, record)])
            )
        if verdict == "continue" or not self._runs.has_told_of(target, LOOKED):
            return answer(
                answers.note(f"Nothing waits here as {target}. /swarm status and /swarm nodes list what does.")
            )
        command = Accept(target) if verdict == "accept" else Reject(target, verdict == "remove")
        return self._start(command, actor, normalised(delivery.text), delivery, answer)

    def _decide(self, delivery: Delivery, record: RunRecord, job: int, verdict: Verdict, answer: Answer) -> None:
        user = delivery.user
        actor = self._people.actor(user, self._team, fresh=True)
        here = self._authorized(actor, Need("help"), record.channel)
        if isinstance(here, Denied):
            return answer(answers.denied(here))
        current = self._runs.record(record.run) or record
        view = self._runs.view(current)
        if job != current.jobs or view.state != "waiting" or view.waiting is None:
            return self._too_late(user, current, answer)
        wrong = objections.misfit(view, view.waiting, verdict)
        if wrong:
            return answer(answers.note(wrong))
        rights = self._settings.rights
        checked = authorize_answer(rights, self._settings.channels, actor, current, view.waiting, verdict)
        if isinstance(checked, Denied):
            return answer(answers.denied(checked))
        decision = Decision(job, verdict, user, delivery.at, view.waiting.fingerprint)
        fault("decision.made")
        holds = self._runs.decide(current, decision, view.waiting.needed)
        if holds != decision:
            return self._too_late(user, self._runs.record(record.run) or current, answer)
        fault("decision.followed")
        return self.minutes.decided(current, decision)

    def _too_late(self, user: str, record: RunRecord, answer: Answer) -> None:
        """A bot that died right after a decision held had no time for what follows; the record takes it but once."""
        for made in (*record.decisions, *record.votes):
            if made.by == user:
                self._runs.follow(record.run, made.job)
                self.minutes.decided(record, made)
        return answer(answers.note(objections.too_late(record)))

    def _authorized(self, actor: Actor, need: Need, channel: str) -> Allowed | Denied:
        return authorize(self._settings.rights, self._settings.channels, actor, need, channel)

    def _status(self, actor: Actor, channel: str, run: str | None) -> Message:
        """Of this channel's runs, those about hosts that the asker may read of."""
        if run is None:
            return status.listed([self._run(record) for record in self._last(actor, channel)])
        record = self._runs.record(run)
        if record is None or not self._visible(actor, channel, record):
            return answers.note(f"There is no run {run} here. /swarm status lists the last ones.")
        return status.one(*self._run(record))

    def _last(self, actor: Actor, channel: str) -> list[RunRecord]:
        """All that go on or wait, and the last of the others."""
        going = {record.run: record for record in self._runs.open_records()}
        others = [record for record in self._runs.recent(LOOKED) if record.run not in going]
        seen = [record for record in (*going.values(), *others) if self._visible(actor, channel, record)]
        return seen[: max(RECENT, sum(record.run in going for record in seen))]

    def _run(self, record: RunRecord) -> status.Run:
        view = self._runs.view(record)
        return view, self._runs.fleet(view)

    def _visible(self, actor: Actor, channel: str, record: RunRecord) -> bool:
        own = record.asker == actor.user
        allowed = isinstance(self._authorized(actor, Need("status", host_of(record)), channel), Allowed)
        return record.channel == channel and (own or allowed)
