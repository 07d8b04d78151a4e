"""Render the card that asks to accept a manager, and the alerts for self-approvals. Pure."""

from bot.messages.block_kit import sentence, timestamp
from bot.messages.escape import escape_mrkdwn, escape_with_code, inline_code
from bot.messages.next_command import next_step_text
from bot.records import Decision, RunRecord
from bot.state.run_state import RunState
from imker.protocol.events import DecisionRequested
from imker.protocol.values import Candidate, Quorum


def approval_card(state: RunState, question: DecisionRequested) -> str:
    """Return the card's text. It separates what a manager observed from what the host claims about itself."""
    if question.candidate is None or question.quorum is None:
        return "Waiting for a decision."
    problem = escape_with_code(question.approval_problem)
    status = "was not accepted" if state.expired else "is waiting to be accepted"
    parts = (
        f"{sentence(problem)} Nothing was done. Current state:" if problem else "",
        f"*{escape_mrkdwn(question.candidate.host)} {status} as a manager.*",
        _candidate_text(question.candidate),
        fault_tolerance(question.quorum),
        _approvals_text(state, question),
        next_step_text(question.summary, question.next_commands),
        _deadline(state, question, question.candidate.node[:12]),
    )
    return "\n".join(part for part in parts if part)


def self_approval_alerts(record: RunRecord) -> tuple[tuple[int, str], ...]:
    """Return the job number and the alert for each person who accepted their own request."""
    return tuple(
        (decision.job, _self_approval_text(decision))
        for decision in (*record.decisions, *record.partial_approvals)
        if decision.choice == "accept" and decision.user == record.requester
    )


def _self_approval_text(decision: Decision) -> str:
    return (
        f"🚨 *Break-glass*: <@{decision.user}> accepted their own request at {timestamp(decision.decided_at)}. "
        "`accept_own = true` in imker.toml allows it."
    )


def _candidate_text(candidate: Candidate) -> str:
    return (
        f"A manager sees node {inline_code(candidate.node)} at {escape_mrkdwn(candidate.observed_address)}. "
        f"The node reports hostname {escape_mrkdwn(candidate.claimed_hostname)} "
        f"and Engine {escape_mrkdwn(candidate.claimed_engine)}."
    )


def fault_tolerance(quorum: Quorum) -> str:
    """Return how many managers there are and may fail, now and after the change."""

    def describe(managers: int, spare: int, note: str = "") -> str:
        loss = f"the loss of {spare}" if spare else "no loss"
        return f"{managers} manager{'s' * (managers != 1)} (survives {loss}{note})"

    note = "; an even number is no safer than one less" if quorum.managers_after % 2 == 0 else ""
    now, after = (
        describe(quorum.managers, quorum.tolerance),
        describe(quorum.managers_after, quorum.tolerance_after, note),
    )
    return f"Now {now}. Then {after}."


def _approvals_text(state: RunState, question: DecisionRequested) -> str:
    if question.required_approvals == 1:
        return ""
    approvals = state.record.partial_approvals
    users = ", ".join(f"<@{approval.user}>" for approval in approvals)
    so_far = f"{len(approvals)} of {question.required_approvals} so far{': ' + users if users else ''}"
    return f"Requires approval by {question.required_approvals} different people, {so_far}."


def _deadline(state: RunState, question: DecisionRequested, node: str) -> str:
    if question.asked_at is None:
        return f"You can also type {inline_code(f'/swarm accept {node}')}."
    at = timestamp(question.asked_at.unix + question.valid_seconds)
    if state.expired:
        return (
            f"⌛ Not accepted by {at}: the node stays a worker. To ask again, type `/swarm accept {state.record.run}`."
        )
    return f"Accept by {at}. You can also type {inline_code(f'/swarm accept {node}')}."
