"""Where commands and clicks are dealt with, however they came: understand, check the right, record and enqueue, or

answer in private. Nothing is ever met with silence.
"""

import re
from collections.abc import Callable
from dataclasses import replace

from bot.auth.permissions import Permission, permission_for
from bot.auth.policy import (
    RIGHT_OF_COMMAND,
    Actor,
    Allowed,
    Denied,
    allowed_commands,
    authorize,
    authorize_decision,
    outsider_kind,
)
from bot.commands.model import ControlRun, DecideRun, ParsedCommand, ShowAudit, ShowHelp, ShowStatus, UsageError
from bot.commands.normalize import normalize
from bot.commands.parser import parse
from bot.handlers import objections
from bot.handlers.audit import AuditRecorder
from bot.handlers.delivery import Delivery
from bot.messages import audit_table, responses, status
from bot.messages.block_kit import Message, Reply
from bot.records import Choice, Decision, RunRecord, run_id, target_host
from bot.runs.store import RunStore
from bot.settings import Settings
from bot.slack.users import UserDirectory
from bot.state import fleet_state, run_control
from bot.state.run_control import RunAction
from imker.audit_log import AuditLog
from imker.failpoints import failpoint
from imker.protocol.commands import Accept, Hold, Reject, RunDoctor
from imker.protocol.values import Finding

MAX_OPEN_RUNS = 500  # runs that go on or wait, in all channels
SEARCH_LIMIT, RECENT_RUNS = 200, 12  # runs looked through; of those that are over, how many a status lists
RunChecks = Callable[[], tuple[Finding, ...]]


class CommandHandler:
    """`team`: this workspace's ID; `examine`: the doctor's look at what the bot needs."""

    def __init__(
        self, settings: Settings, runs: RunStore, users: UserDirectory, team: str, audit: AuditLog, examine: RunChecks
    ) -> None:
        self._audit = audit
        self._examine = examine
        self.minutes = AuditRecorder(audit, self.outsider)
        self._settings = settings
        self._runs = runs
        self._people = users
        self._team = team

    def handle_command(self, delivery: Delivery, reply: Reply) -> None:
        user, channel, text = delivery.user, delivery.channel, delivery.text
        parsed = parse(text, hosts=self._runs.hosts())
        if isinstance(parsed, UsageError):
            return reply(self._usage_reply(parsed, user, channel))
        need = permission_for(parsed)
        actor = self._people.fetch_actor(user, self._team, fresh=RIGHT_OF_COMMAND[need.verb] in ("change", "accept"))
        checked = self._authorize(actor, need, channel)
        if isinstance(checked, Denied) and not isinstance(parsed, DecideRun | ControlRun):
            return reply(responses.denied(checked))
        if isinstance(parsed, ShowHelp | ShowStatus | ShowAudit):
            self.minutes.command(user, channel, delivery.delivery_id, f"/swarm {normalize(text).strip()}")
        match parsed:
            case ShowHelp():
                return reply(responses.help_for(self._allowed_commands(actor, channel), self._runs.hosts()))
            case ShowStatus(run):
                return reply(self._status(actor, channel, run))
            case RunDoctor():
                self._start(parsed, actor, normalize(text), delivery, reply)
                return reply(responses.doctor_report(self._examine()))
            case ShowAudit(subject):
                within = checked.hosts if isinstance(checked, Allowed) else ()
                entries = audit_table.filter_entries(self._audit.newest_first(), subject, channel, within)
                return reply(audit_table.render_table(entries, subject))
            case ControlRun():
                return self._control(parsed, actor, checked, delivery, reply)
            case DecideRun():
                return self._decide_typed(parsed, actor, checked, delivery, reply)
            case _:
                return self._start(parsed, actor, normalize(text), delivery, reply)

    def handle_action(self, delivery: Delivery, choice: Choice, reply: Reply) -> None:
        """Its text is the button's value: the run, and the job whose question the button stood under."""
        run, _, job = delivery.text.partition(":")
        record = self._runs.record(run) if re.fullmatch(r"[0-9]{1,6}", job) else None
        here = record is not None and record.channel == delivery.channel
        if record is None or not here or self._runs.posted_messages.get(run).get("ts") != delivery.message_ts:
            return reply(responses.not_found("There is no such request any more."))
        return self._decide(delivery, record, int(job), choice, reply)

    def _usage_reply(self, error: UsageError, user: str, channel: str) -> Message:
        """Near misses are for those who may ask; what others typed is kept as little as theirs."""
        actor = self._people.fetch_actor(user, self._team, fresh=False)
        here = self._authorize(actor, Permission("help"), channel)
        if isinstance(here, Denied):
            return replace(responses.denied(here), refusal="misuse")
        return responses.usage_error(error, self._allowed_commands(actor, channel), self._runs.hosts())

    def outsider(self, user: str) -> str:
        """Return what kind of person without any right this is, "" for people with one."""
        return outsider_kind(self._settings.rights, self._people.fetch_actor(user, self._team, fresh=False))

    def _allowed_commands(self, actor: Actor, channel: str) -> responses.AllowedCommands:
        return allowed_commands(self._settings.rights, self._settings.channels, actor, channel)

    def _start(self, command: ParsedCommand, actor: Actor, text: str, delivery: Delivery, reply: Reply) -> None:
        assert not isinstance(command, ShowStatus | ShowHelp | ShowAudit | DecideRun | ControlRun)
        need = permission_for(command)
        checked = self._authorize(actor, need, delivery.channel)
        if isinstance(checked, Denied):
            return reply(responses.denied(checked))
        if len(self._runs.open_runs()) >= MAX_OPEN_RUNS:
            return reply(responses.too_many_runs(MAX_OPEN_RUNS))
        within = (need.host,) if need.host else checked.hosts
        record = RunRecord(
            run_id(delivery.delivery_id),
            command,
            " ".join(text.split()),
            actor.user,
            delivery.channel,
            delivery.received_at,
            allowed_hosts=within,
        )
        self.minutes.run_started(record)
        failpoint("run.audited")
        self._runs.start(record, delivery.response_url)
        return None

    def _control(
        self, parsed: ControlRun, actor: Actor, checked: Allowed | Denied, delivery: Delivery, reply: Reply
    ) -> None:
        """What waits for a word gets it; what goes on is held between two steps. Who asked may call off."""
        run, action, channel = parsed.run, parsed.action, delivery.channel
        here, held_run = (
            self._authorize(actor, Permission("help"), channel),
            self._already_held(actor, action, delivery),
        )
        if held_run and isinstance(here, Allowed):
            return reply(responses.info(run_control.confirmation(held_run, action)))
        candidate = self._runs.record(run) if run else self._sole_candidate(channel, action)
        record = candidate if candidate and candidate.channel == channel else None
        cancels_own = record is not None and action == "cancel" and record.requester == actor.user
        access = (
            here
            if cancels_own
            else self._authorize(actor, Permission(action, target_host(record)), channel)
            if record
            else checked
        )
        if isinstance(access, Denied):
            return reply(responses.denied(access))
        if record is None:
            problem = f"There is no run {run} here." if run else f"Which run? There is not just one to {action} here."
            return reply(responses.not_found(f"{problem} /swarm status lists them."))
        match self._resolve_control(record, action):
            case run_control.StartRun(command, text):
                return self._start(command, actor, text, delivery, reply)
            case run_control.DecideRun(verdict):
                return self._decide(delivery, record, record.job_count, verdict, reply)
            case run_control.SetHold(kind, says):
                self.minutes.hold(actor.user, record, delivery.delivery_id, kind)
                self._runs.hold(record.run, Hold(kind, actor.user, delivery.received_at))
                return reply(responses.info(says))
            case run_control.Rejected(says):
                return reply(responses.not_found(says))

    def _already_held(self, actor: Actor, action: RunAction, delivery: Delivery) -> str:
        """The run that this very word holds already: a bot that died over it had no time to say so. "" for none."""
        holds_by_run = ((run, self._runs.current_hold(run)) for run in self._runs.open_runs())
        expected = (action, actor.user, delivery.received_at)
        return next(
            (run for run, hold in holds_by_run if hold and (hold.action, hold.user, hold.requested_at) == expected), ""
        )

    def _resolve_control(self, record: RunRecord, action: RunAction) -> run_control.Resolution:
        return run_control.resolve(*self._with_fleet(record), action)

    def _sole_candidate(self, channel: str, action: RunAction) -> RunRecord | None:
        """The one run that the word can be meant for; a fleet's rather than those of its hosts."""
        candidates = [
            record for record in self._runs.open_records() if record.channel == channel and not record.parent_run
        ]
        controllable = [
            record
            for record in candidates
            if not isinstance(self._resolve_control(record, action), run_control.Rejected)
        ]
        return controllable[0] if len(controllable) == 1 else None

    def _decide_typed(
        self, parsed: DecideRun, actor: Actor, checked: Allowed | Denied, delivery: Delivery, reply: Reply
    ) -> None:
        """The same gate as the buttons'; a node that waits without a run gets a run of its own, which asks."""
        target, verdict = parsed.target, parsed.choice
        candidates = self._runs.find_waiting(target, delivery.channel)
        if len(candidates) == 1:
            is_expired = verdict == "accept" and self._runs.run_state(candidates[0]).expired
            return self._decide(
                delivery, candidates[0], candidates[0].job_count, "again" if is_expired else verdict, reply
            )
        if isinstance(checked, Denied):
            return reply(responses.denied(checked))
        if candidates:
            return reply(
                responses.ambiguous_target(
                    target, [record for record in candidates if self._is_visible(actor, record.channel, record)]
                )
            )
        if verdict == "continue" or not self._runs.has_reported_node(target, SEARCH_LIMIT):
            return reply(
                responses.not_found(f"Nothing waits here as {target}. /swarm status and /swarm nodes list what does.")
            )
        command = Accept(target) if verdict == "accept" else Reject(target, verdict == "remove")
        return self._start(command, actor, normalize(delivery.text), delivery, reply)

    def _decide(self, delivery: Delivery, record: RunRecord, job: int, choice: Choice, reply: Reply) -> None:
        user = delivery.user
        actor = self._people.fetch_actor(user, self._team, fresh=True)
        here = self._authorize(actor, Permission("help"), record.channel)
        if isinstance(here, Denied):
            return reply(responses.denied(here))
        current = self._runs.record(record.run) or record
        view = self._runs.run_state(current)
        if job != current.job_count or view.status != "waiting" or view.question is None:
            return self._reply_already_decided(user, current, reply)
        problem = objections.invalid_choice(view, view.question, choice)
        if problem:
            return reply(responses.not_found(problem))
        rights = self._settings.rights
        checked = authorize_decision(rights, self._settings.channels, actor, current, view.question, choice)
        if isinstance(checked, Denied):
            return reply(responses.denied(checked))
        decision = Decision(job, choice, user, delivery.received_at, view.question.fingerprint)
        failpoint("decision.received")
        effective = self._runs.decide(current, decision, view.question.required_approvals)
        if effective != decision:
            return self._reply_already_decided(user, self._runs.record(record.run) or current, reply)
        failpoint("decision.followed")
        return self.minutes.decision(current, decision)

    def _reply_already_decided(self, user: str, record: RunRecord, reply: Reply) -> None:
        """A bot that died right after a decision held had no time for what follows; the record takes it but once."""
        for decision in (*record.decisions, *record.partial_approvals):
            if decision.user == user:
                self._runs.advance(record.run, decision.job)
                self.minutes.decision(record, decision)
        return reply(responses.not_found(objections.already_decided(record)))

    def _authorize(self, actor: Actor, permission: Permission, channel: str) -> Allowed | Denied:
        return authorize(self._settings.rights, self._settings.channels, actor, permission, channel)

    def _status(self, actor: Actor, channel: str, run: str | None) -> Message:
        """Of this channel's runs, those about hosts that the asker may read of."""
        if run is None:
            return status.run_list([self._with_fleet(record) for record in self._recent_runs(actor, channel)])
        record = self._runs.record(run)
        if record is None or not self._is_visible(actor, channel, record):
            return responses.not_found(f"There is no run {run} here. /swarm status lists the last ones.")
        return status.run_details(*self._with_fleet(record))

    def _recent_runs(self, actor: Actor, channel: str) -> list[RunRecord]:
        """All that go on or wait, and the last of the others."""
        open_runs = {record.run: record for record in self._runs.open_records()}
        others = [record for record in self._runs.recent(SEARCH_LIMIT) if record.run not in open_runs]
        visible = [record for record in (*open_runs.values(), *others) if self._is_visible(actor, channel, record)]
        return visible[: max(RECENT_RUNS, sum(record.run in open_runs for record in visible))]

    def _with_fleet(self, record: RunRecord) -> fleet_state.RunWithFleet:
        view = self._runs.run_state(record)
        return view, self._runs.fleet_state(view)

    def _is_visible(self, actor: Actor, channel: str, record: RunRecord) -> bool:
        is_requester = record.requester == actor.user
        is_allowed = isinstance(self._authorize(actor, Permission("status", target_host(record)), channel), Allowed)
        return record.channel == channel and (is_requester or is_allowed)
