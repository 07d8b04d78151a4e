"""Render alerts: new messages that mention the people who can act. They are edited when nothing is left to do. Pure."""

from collections.abc import Mapping, Sequence

from bot.messages.block_kit import PART_LIMIT, Message, ephemeral, sentence, timestamp
from bot.messages.escape import escape_mrkdwn, escape_with_code, inline_code
from bot.messages.runs import fleet_message, run_text
from bot.messages.runs.headline import headline_text
from bot.messages.runs.run_text import KEPT_TEXT, decision_text
from bot.state import fleet_state
from bot.state.alerts import QuestionState
from bot.state.fleet_state import FleetState
from bot.state.run_state import RunState, rejection
from imker.protocol.events import Question
from imker.text import truncate

SENTENCES: dict[Question, str] = {
    "accept": "{host} is waiting to be accepted as a manager.",
    "continue": "The plan for {host} has warnings. Continue?",
    "start": "The plan for {host} is ready. Start it?",
    "start_fleet": "The plan for the whole fleet is ready. Start it?",
    "resume": "The run for {host} is paused. Resume it?",
    "start_containers": "Some containers on {host} are not running. Start them?",
    "stop_store": "The key-value store on {host} is unused. Stop it?",
    "remove_store": "The key-value store on {host} is stopped. Remove it?",
}
SUBJECTS: dict[Question, str] = {"start_fleet": "The plan for the whole fleet"}  # other questions: the host
MAX_LINES = 10  # questions that one alert lists
Links = Mapping[str, str]  # the permalink of a run's message, by run


def question_alert(
    question: Question,
    question_states: Sequence[QuestionState],
    recipients: Sequence[str],
    links: Links,
    *,
    reminder: bool = False,
) -> Message:
    """Return the alert about questions, or its reminder.

    `recipients`: IDs of the users and groups to mention; none are mentioned when every question is closed.
    """
    open_count = sum(each.status == "open" for each in question_states)
    if open_count:
        people = f"{mentions(recipients)}: " if recipients else ""
        lead = f"⏰ {people}Reminder: " if reminder else f"✋ {people}"
    else:
        lead = f"{_closed_mark(question, question_states)} {'Reminder closed. ' * reminder}"
    if len(question_states) == 1:
        return ephemeral(lead + _line(question, question_states[0], links))
    count = f"{open_count} question{'s' * (open_count != 1)} for you." if open_count else "All questions are closed."
    open_first = sorted(question_states, key=lambda each: each.status != "open")
    lines = [f"• {_line(question, each, links)}" for each in open_first[:MAX_LINES]]
    more = [f"and {len(question_states) - MAX_LINES} more"] if len(question_states) > MAX_LINES else []
    return ephemeral("\n".join([lead + count, *lines, *more]))


def end_alert(state: RunState, fleet: FleetState | None, links: Links) -> Message:
    """Return the alert for the requester about how the run ended."""
    mark, result = _result(state, fleet)
    lead = f"{mark} <@{state.record.requester}>: {result.removesuffix('.')}."
    return ephemeral(truncate(lead + _rejection(state), PART_LIMIT) + _link(state.record.run, "Open", links))


def lost_alert(metadata: Mapping[str, str]) -> Message:
    """Return the message that replaces an alert of a run which Redis has lost. `metadata`: what Slack kept with it."""
    run = inline_code(metadata.get("run", ""))
    return ephemeral(f"❓ Redis lost its data, including run {run}. Nothing is waiting for an answer anymore.")


def mentions(recipients: Sequence[str]) -> str:
    """Return mentions of users and groups."""
    return " ".join(f"<!subteam^{each}>" if each.startswith("S") else f"<@{each}>" for each in recipients)


def _result(state: RunState, fleet: FleetState | None) -> tuple[str, str]:
    """Return the run's mark, and how it ended, escaped."""
    if fleet is None:
        mark, _, result = headline_text(state).partition(" ")
        return mark, result
    mark, status = fleet_message.summary(fleet)
    end = fleet_state.outcome(fleet) if fleet.start else None
    summary = f". {escape_with_code(end.summary)}" if end and end.summary else ""
    return mark, f"{escape_mrkdwn(run_text.title(state))}: {escape_mrkdwn(status)}{summary}"


def _line(question: Question, question_state: QuestionState, links: Links) -> str:
    """Return what is asked and until when, or how the question was closed, and a link to its message."""
    host = inline_code(question_state.source.host) if question_state.source.host else "the host"
    subject, link = SUBJECTS.get(question, host), _link(question_state.source.run, "Open", links)
    match question_state.status:
        case "open":
            until = f" Answer by {_deadline(question_state)}." if _deadline(question_state) else ""
            return f"{SENTENCES[question].format(host=host)}{_approvals(question_state)}{until}{link}"
        case "answered":
            return f"{subject}: {_answer(question, question_state)}{link}"
        case "expired":
            again = inline_code(f"/swarm accept {question_state.source.run}")
            return f"{subject}: expired at {_deadline(question_state)}. To ask again, type {again}.{link}"
        case _:
            return f"{subject}: no longer waiting for an answer.{link}"


def _closed_mark(question: Question, question_states: Sequence[QuestionState]) -> str:
    if any(each.status == "expired" for each in question_states):
        return "⌛"
    refusals = ("reject", "remove") if question in KEPT_TEXT else ("reject", "remove", "cancel")
    refused = any(decision.choice in refusals for each in question_states for decision in each.decisions)
    return "🚫" if refused else "✅" if all(each.status == "answered" for each in question_states) else "❓"


def _answer(question: Question, question_state: QuestionState) -> str:
    """Return who answered what and when, such as "accepted by @bob at 14:31."."""
    last = question_state.decisions[-1]
    users = dict.fromkeys(each.user for each in question_state.decisions if each.choice == last.choice and each.user)
    people = " and ".join(f"<@{user}>" for user in users)
    by = f" by {people}" if people else ""
    why = f" Reason: {escape_mrkdwn(sentence(last.why))}" if last.why else ""
    return f"{decision_text(last.choice, question).lower()}{by} at {timestamp(last.decided_at)}.{why}"


def _rejection(state: RunState) -> str:
    """Return who rejected the manager and why, "" if no one did."""
    decision = rejection(state)
    if decision is None:
        return ""
    why = f": {sentence(decision.why)}" if decision.why else "."
    return f" Rejected by <@{decision.user}>{escape_mrkdwn(why)}"


def _approvals(question_state: QuestionState) -> str:
    question = question_state.state.question if question_state.state else None
    if question_state.state is None or question is None or question.required_approvals == 1:
        return ""
    approvals = len(question_state.state.record.partial_approvals)
    return f" {approvals} of {question.required_approvals} approvals so far."


def _deadline(question_state: QuestionState) -> str:
    """Return until when the question can be answered, "" for any time."""
    question = question_state.state.question if question_state.state else None
    return timestamp(question.asked_at.unix + question.valid_seconds) if question and question.asked_at else ""


def _link(run: str, label: str, links: Links) -> str:
    """Return a link to the run's message, its ID while the link is unknown."""
    return f" <{links[run]}|{label}>" if links.get(run) else f" Run {inline_code(run)}."
