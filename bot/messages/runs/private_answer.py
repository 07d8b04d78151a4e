"""Render a run's message for its requester only. Pure."""

from bot.messages.block_kit import Message, button, context, fit_text
from bot.messages.next_steps import without_buttons
from bot.records import RunRecord

SHOW_ACTION, SHOW_LABEL = "run.show", "Show to channel"
NOTE = f"Only you see this. To post it, press *{SHOW_LABEL}*."
WORKING = "Working. Only you will see the answer."


def private_answer(record: RunRecord, message: Message) -> Message:
    """Return the message without its buttons, which work in a channel only, and with the button that posts it."""
    blocks = without_buttons(message.blocks)
    shows = {"type": "actions", "block_id": "show", "elements": [button(SHOW_LABEL, SHOW_ACTION, record.run, "")]}
    return Message(fit_text([message.text], [NOTE]), (*blocks, context(NOTE), shows))
