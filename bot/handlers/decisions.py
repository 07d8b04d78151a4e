"""Handle decisions on runs that wait for one: buttons, and typed `accept`, `reject`, and `continue`."""

from dataclasses import dataclass, replace

from bot.auth.permissions import is_valid_choice
from bot.auth.policy import Actor, Allowed, Denied
from bot.commands.model import DecideRun
from bot.handlers.access import Access, Invocation
from bot.handlers.audit import AuditRecorder
from bot.handlers.delivery import Delivery
from bot.handlers.next_steps import named_record, record_of_button
from bot.handlers.start import RunStarter
from bot.handlers.status import MAX_SEARCHED_RUNS
from bot.messages.block_kit import Message, Reply
from bot.messages.replies import responses
from bot.messages.views.form import MAX_REASON
from bot.records import PAST_TENSE, Choice, Decision, RunRecord, target_host
from bot.runs.snapshots import RunSnapshot
from bot.runs.store import RunStore
from bot.state.run_state import RunState
from imker.failpoints import failpoint
from imker.protocol.commands import Accept, Reject
from imker.protocol.events import DecisionRequested
from imker.redaction import redact
from imker.text import one_line

NOT_IN_CHANNEL = "You aren't a member of the run's channel. Join it, and click again in a minute."


@dataclass(frozen=True)
class DecisionHandler:
    """Check a decision, store it once, and continue the run."""

    access: Access
    runs: RunStore
    audit: AuditRecorder
    starter: RunStarter

    def handle_button(self, delivery: Delivery, choice: Choice, reply: Reply) -> None:
        """Decide by a button. Its value names the run, and the job whose question the button belongs to."""
        click = self._find(delivery, choice)
        if isinstance(click, Message):
            return reply(click)
        actor, snapshot, job = click
        invocation = Invocation(actor, replace(delivery, channel=snapshot.record.channel), reply)
        return self.decide(invocation, snapshot, job, choice)

    def preview_button(self, delivery: Delivery, choice: Choice) -> str | Message:
        """Return the host that the decision is about, or why it would be refused now. Changes nothing."""
        click = self._find(delivery, choice)
        if isinstance(click, Message):
            return click
        _, snapshot, _ = click
        return self._refusal(*click, choice) or target_host(snapshot.record, snapshot.state.question)

    def _find(self, delivery: Delivery, choice: Choice) -> tuple[Actor, RunSnapshot, int] | Message:
        """Return who clicked, the button's run, and its job; or the reply if the button no longer works.

        A button in the Home tab requires that the user is in the run's channel. Home shows no plan to start.
        """
        if delivery.from_home:
            record = named_record(self.runs, delivery) if choice != "start" else None
        else:
            record = record_of_button(self.runs, delivery)
        if record is None:
            return responses.button_gone()
        actor = self.access.fetch_actor(delivery.user, fresh=True)
        if delivery.from_home and record.channel not in self.access.joined_channels(delivery.user):
            return responses.not_found(NOT_IN_CHANNEL)
        snapshot = self.runs.snapshot(record.run)  # after Slack's reply, which may take long
        job = int(delivery.text.partition(":")[2])
        return (actor, snapshot, job) if snapshot else responses.button_gone()

    def handle_command(self, invocation: Invocation, command: DecideRun, checked: Allowed | Denied) -> None:
        """Decide by a typed command. `checked`: whether the user has the command's right on any host."""
        candidates = self.runs.find_waiting(command.target, invocation.channel)
        if len(candidates) == 1:
            return self._decide_latest(invocation, candidates[0], command.choice)
        if isinstance(checked, Denied):
            return invocation.reply(responses.denied(checked))
        if candidates:
            records = (candidate.record for candidate in candidates)
            visible = [each for each in records if self.access.may_see(invocation.actor, each, invocation.channel)]
            return invocation.reply(responses.ambiguous_target(command.target, visible))
        return self._start_without_run(invocation, command, checked)

    def _decide_latest(self, invocation: Invocation, snapshot: RunSnapshot, choice: Choice) -> None:
        """Decide on the run's current question. Accepting an expired question renews it."""
        is_expired = choice == "accept" and snapshot.state.expired
        return self.decide(invocation, snapshot, snapshot.record.job_count, "again" if is_expired else choice)

    def _start_without_run(self, invocation: Invocation, command: DecideRun, allowed: Allowed) -> None:
        """Start a run for a node that waits without one. The new run asks before it changes the node."""
        target, choice = command.target, command.choice
        if choice == "continue" or not self.runs.has_reported_node(target, MAX_SEARCHED_RUNS):
            return invocation.reply(
                responses.not_found(
                    f"Nothing named `{target}` is waiting in this channel. See `/swarm status` and `/swarm nodes`."
                )
            )
        request = Accept(target) if choice == "accept" else Reject(target, choice == "remove")
        return self.starter.start(invocation, request, allowed)

    def decide(self, invocation: Invocation, snapshot: RunSnapshot, job: int, choice: Choice) -> None:
        """Store the decision on the question of job `job`, or reply why it is refused."""
        record, question = snapshot.record, snapshot.state.question
        refusal = self._refusal(invocation.actor, snapshot, job, choice)
        if refusal is None and question is not None:
            return self._store(invocation, record, question, job, choice)
        self._finish_decisions(record, invocation.delivery.user)
        return invocation.reply(refusal or responses.button_gone())

    def _refusal(self, actor: Actor, snapshot: RunSnapshot, job: int, choice: Choice) -> Message | None:
        """Return why this person cannot decide this now, None if they can."""
        record, state = snapshot.record, snapshot.state
        here = self.access.authorize_membership(actor, record.channel)
        if isinstance(here, Denied):
            return responses.denied(here)
        if job != record.job_count or state.status != "waiting" or state.question is None:
            return responses.not_found(already_decided(record, actor.user))
        if problem := invalid_choice(state, state.question, choice):
            return responses.not_found(problem)
        checked = self.access.authorize_decision(actor, record, state.question, choice)
        return responses.denied(checked) if isinstance(checked, Denied) else None

    def _store(
        self, invocation: Invocation, record: RunRecord, question: DecisionRequested, job: int, choice: Choice
    ) -> None:
        """Store the decision, unless another one was first."""
        delivery = invocation.delivery
        reason = one_line(redact(delivery.reason), MAX_REASON) if choice in ("reject", "remove") else ""
        decision = Decision(job, choice, delivery.user, delivery.received_at, question.fingerprint, reason)
        failpoint("decision.received")
        effective = self.runs.decide(record, decision, question.required_approvals)
        if effective != decision:
            current = self.runs.snapshot(record.run)
            latest = current.record if current else record
            self._finish_decisions(latest, delivery.user)
            return invocation.reply(responses.not_found(already_decided(latest, delivery.user)))
        failpoint("decision.followed")
        return self.audit.decision(record, decision)

    def _finish_decisions(self, record: RunRecord, user: str) -> None:
        """Finish what a bot that crashed after storing this user's decision left undone."""
        for decision in (*record.decisions, *record.partial_approvals):
            if decision.user == user:
                self.runs.advance(record.run, decision.job)
                self.audit.decision(record, decision)


def invalid_choice(state: RunState, question: DecisionRequested, choice: Choice) -> str:
    """Return why the choice does not answer the question now, "" if it does."""
    run = state.record.run
    if not is_valid_choice(question, choice):
        return f"Run `{run}` isn't waiting for that. See `/swarm status {run}`."
    if state.expired and choice == "accept":
        return f"The question of run `{run}` expired. Renew it with `/swarm accept {run}`."
    return "" if state.expired or choice != "again" else f"Run `{run}` is already waiting for a decision."


def already_decided(record: RunRecord, user: str) -> str:
    """Return why the run takes no decision from this user now."""
    run = record.run
    if any(approval.user == user for approval in record.partial_approvals):
        return f"You already approved run `{run}`. It needs another approval from someone else."
    if not record.decisions:
        return f"Run `{run}` isn't waiting for this decision. See `/swarm status {run}`."
    last = record.decisions[-1]
    return f"Run `{run}` was already {PAST_TENSE[last.choice]} by {f'<@{last.user}>' if last.user else 'Imker'}."
