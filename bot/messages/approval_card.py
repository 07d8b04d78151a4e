"""The card that asks whether a host shall be a manager, and what is said aloud of how it was accepted. Pure."""

from bot.messages.block_kit import timestamp
from bot.messages.escape import escape_mrkdwn
from bot.records import RunRecord
from bot.state.run_state import RunState
from imker.protocol.events import DecisionRequested
from imker.protocol.values import Candidate, Quorum


def approval_card(view: RunState, waiting: DecisionRequested) -> str:
    """What a manager observed stands apart from what the host merely claims."""
    if waiting.candidate is None or waiting.quorum is None:
        return "It waits for a decision."
    parts = (
        f"Not done: {escape_mrkdwn(waiting.approval_problem)}. Nothing was changed; this is how it is now."
        if waiting.approval_problem
        else "",
        f"*{escape_mrkdwn(waiting.candidate.host)} waits to be accepted as a manager.*",
        _candidate_text(waiting.candidate),
        _fault_tolerance(waiting.quorum),
        _votes(view, waiting),
        _deadline(view, waiting, escape_mrkdwn(waiting.candidate.node[:12])),
    )
    return "\n".join(part for part in parts if part)


def self_approval_alerts(record: RunRecord) -> tuple[tuple[int, str], ...]:
    """Who accepted what they asked for themselves, and which job's question: that is never done quietly."""
    self_approvals = [
        approval
        for approval in (*record.decisions, *record.partial_approvals)
        if approval.choice == "accept" and approval.user == record.requester
    ]
    return tuple(
        (
            approval.job,
            f"🚨 *Break-glass*: <@{approval.user}> accepted at {timestamp(approval.decided_at)} what <@{record.requester}> asked for themselves. "
            "`accept_own = true` in imker.toml allows it.",
        )
        for approval in self_approvals
    )


def _candidate_text(candidate: Candidate) -> str:
    return (
        f"A manager sees node `{escape_mrkdwn(candidate.node)}` at {escape_mrkdwn(candidate.observed_address)}. "
        f"It calls itself {escape_mrkdwn(candidate.claimed_hostname)}, with Engine {escape_mrkdwn(candidate.claimed_engine)}."
    )


def _fault_tolerance(quorum: Quorum) -> str:
    def count(managers: int, fail: int) -> str:
        return f"{managers} manager{'s' * (managers != 1)}: {fail or 'none'} may fail"

    now, then = count(quorum.managers, quorum.tolerance), count(quorum.managers_after, quorum.tolerance_after)
    return f"Now {now}; then {then}" + (
        " (an even number is no safer than one less)" if quorum.managers_after % 2 == 0 else ""
    )


def _votes(view: RunState, waiting: DecisionRequested) -> str:
    if waiting.required_approvals == 1:
        return ""
    voters = ", ".join(f"<@{vote.user}>" for vote in view.record.partial_approvals)
    so_far = f"{len(view.record.partial_approvals)} of {waiting.required_approvals} said yes"
    return f"It takes {waiting.required_approvals} different people: {so_far}{': ' + voters if voters else ''}."


def _deadline(view: RunState, waiting: DecisionRequested, node: str) -> str:
    typed_command = f"`/swarm accept {node}`"
    if waiting.asked_at is None:
        return f"Or type {typed_command}"
    at = timestamp(waiting.asked_at.unix + waiting.valid_seconds)
    if view.expired:
        return f"⌛ Nobody accepted it by {at}; it stays a worker. `/swarm accept {view.record.run}` asks anew."
    return f"Until {at}. Or type {typed_command}"
