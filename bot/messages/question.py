"""Render the open question of a run: text, buttons, and typed alternatives. Pure."""

from bot.messages import approval_card
from bot.messages.block_kit import PART_LIMIT, Block, button, section
from bot.messages.escape import escape_mrkdwn
from bot.state.run_state import RunState, current_decision
from imker.protocol.events import DecisionRequested
from imker.text import truncate

BUTTONS = {  # by question: each button's label, verdict and style
    "accept": (("Accept", "accept", "primary"), ("Reject", "reject", "danger")),
    "continue": (("Continue", "continue", "primary"), ("Cancel", "cancel", "")),
    "start_fleet": (("Start", "start", "primary"), ("Cancel", "cancel", "")),
    "resume": (("Resume", "continue", "primary"), ("Cancel", "cancel", "danger")),
    "start_containers": (("Try again", "continue", "primary"), ("Leave them", "cancel", "")),
    "stop_store": (("Stop it", "continue", "danger"), ("Leave it", "cancel", "")),
    "remove_store": (("Remove it", "continue", "danger"), ("Keep it", "cancel", "")),
}

BY_BUTTON = "by the button in the run's own message"  # a fleet's plan is started by who sees it


def render_question(view: RunState) -> list[Block]:
    """The open question's words and buttons; a decided one has none."""
    if view.status != "waiting" or view.question is None or current_decision(view):
        return []
    value, text = f"{view.record.run}:{view.record.job_count}", question_text(view)
    sections = [section(text)] if text else []
    if view.expired:
        return sections
    labels = BUTTONS[view.question.question]
    buttons = [button(label, f"run.{verdict}", value, style) for label, verdict, style in labels]
    return [*sections, {"type": "actions", "block_id": "question", "elements": buttons}]


def question_text(view: RunState) -> str:
    """The open question's words."""
    waiting = view.question
    if view.status != "waiting" or waiting is None or current_decision(view):
        return ""
    return truncate(
        approval_card.approval_card(view, waiting) if waiting.question == "accept" else _paused_text(waiting),
        PART_LIMIT,
    )


def _paused_text(waiting: DecisionRequested) -> str:
    return (f"Paused by <@{escape_mrkdwn(waiting.user)}>. " if waiting.user else "") + escape_mrkdwn(waiting.summary)


def typed_choices(view: RunState) -> str:
    """The open question's answers as they are typed: for those who see no buttons, and where buttons are dead."""
    if view.status != "waiting" or view.question is None or current_decision(view):
        return ""
    run = view.record.run
    if view.expired:
        return f"Nobody accepted it in time; it stays a worker. `/swarm accept {run}` asks anew."
    ways = ((label, verdict) for label, verdict, _ in BUTTONS[view.question.question])
    return "  ·  ".join(
        f"{label}: {BY_BUTTON if verdict == 'start' else f'`/swarm {verdict} {run}`'}" for label, verdict in ways
    )
