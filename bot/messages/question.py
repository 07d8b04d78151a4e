"""Render the open question of a run: text, buttons, and typed alternatives. Pure."""

from bot.messages import approval_card
from bot.messages.block_kit import PART_LIMIT, Block, button, section
from bot.messages.escape import escape_mrkdwn
from bot.messages.next_command import next_step_text
from bot.state.run_state import RunState, current_decision
from imker.protocol.events import DecisionRequested
from imker.text import truncate

BUTTONS = {  # by question: each button's label, choice, and style
    "accept": (("Accept", "accept", "primary"), ("Reject", "reject", "danger")),
    "continue": (("Continue", "continue", "primary"), ("Cancel", "cancel", "")),
    "start_fleet": (("Start", "start", "primary"), ("Cancel", "cancel", "")),
    "resume": (("Resume", "continue", "primary"), ("Cancel", "cancel", "danger")),
    "start_containers": (("Try again", "continue", "primary"), ("Keep stopped", "cancel", "")),
    "stop_store": (("Stop", "continue", "danger"), ("Keep", "cancel", "")),
    "remove_store": (("Remove", "continue", "danger"), ("Keep", "cancel", "")),
}

BY_BUTTON = "use the button in the run's message"  # a fleet is started only by someone who sees its plan


def render_question(state: RunState) -> list[Block]:
    """Return the open question's text and buttons. An expired question has no buttons."""
    question = _open_question(state)
    if question is None:
        return []
    value, text = f"{state.record.run}:{state.record.job_count}", question_text(state)
    sections = [section(text)] if text else []
    if state.expired:
        return sections
    buttons = [button(label, f"run.{choice}", value, style) for label, choice, style in BUTTONS[question.question]]
    return [*sections, {"type": "actions", "block_id": "question", "elements": buttons}]


def question_text(state: RunState) -> str:
    """Return the open question's text, "" if no question is open."""
    question = _open_question(state)
    if question is None:
        return ""
    is_approval = question.question == "accept"
    text = approval_card.approval_card(state, question) if is_approval else _summary_text(question)
    return truncate(text, PART_LIMIT)


def typed_choices(state: RunState) -> str:
    """Return the commands that answer the open question, for clients that show no buttons."""
    question = _open_question(state)
    if question is None:
        return ""
    run = state.record.run
    if state.expired:
        return f"Not accepted in time: the node stays a worker. To ask again, type `/swarm accept {run}`."
    return "  ·  ".join(
        f"{label}: {BY_BUTTON if choice == 'start' else f'`/swarm {choice} {run}`'}"
        for label, choice, _ in BUTTONS[question.question]
    )


def _open_question(state: RunState) -> DecisionRequested | None:
    """Return the question that waits for a decision."""
    return None if state.status != "waiting" or current_decision(state) else state.question


def _summary_text(question: DecisionRequested) -> str:
    paused_by = f"Paused by <@{escape_mrkdwn(question.user)}>. " if question.user else ""
    return paused_by + next_step_text(question.summary, question.next_commands)
