"""Render the text of a run's open question. Its buttons are next steps. Pure."""

from bot.messages.block_kit import PART_LIMIT
from bot.messages.escape import escape_mrkdwn
from bot.messages.next_command import next_step_text
from bot.messages.runs import approval_card
from bot.state.run_state import RunState, current_decision
from imker.protocol.events import DecisionRequested
from imker.text import truncate


def question_text(state: RunState) -> str:
    """Return the open question's text, "" if no question is open."""
    question = open_question(state)
    if question is None:
        return ""
    is_approval = question.question == "accept"
    text = approval_card.approval_card(state, question) if is_approval else _summary_text(question)
    return truncate(text, PART_LIMIT)


def open_question(state: RunState) -> DecisionRequested | None:
    """Return the question that waits for a decision."""
    return None if state.status != "waiting" or current_decision(state) else state.question


def _summary_text(question: DecisionRequested) -> str:
    paused_by = f"Paused by <@{escape_mrkdwn(question.user)}>. " if question.user else ""
    text = paused_by + next_step_text(question.summary, question.next_commands)
    return f"{text}\n{approval_card.fault_tolerance(question.quorum)}".lstrip() if question.quorum else text
