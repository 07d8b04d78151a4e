"""Render the steps that a reader can take next: as buttons, as a menu, and as commands to type. Pure."""

from collections.abc import Iterable, Sequence

from bot.messages.block_kit import Block, button, overflow
from bot.messages.escape import inline_code
from bot.records import RunRecord
from bot.state.next_step import NextStep
from imker.text import strip_control, truncate

BY_BUTTON = "use the button in the run's message"  # a fleet is started only by someone who sees its plan
ACTION, MENU_ACTION = "run.next.", "run.more"  # a button's action ID without its step's name; the menu's action ID
MAX_CONFIRM, MAX_DESCRIPTION = 300, 75  # characters of a dialog's text, and of a text for screen readers
Steps = Sequence[NextStep]


def step_buttons(record: RunRecord, steps: Steps) -> list[Block]:
    """Return a row with the buttons of the steps that are not in the menu."""
    buttons = [_button(record, step) for step in steps if not step.in_menu]
    block_id = "question" if any(step.choice for step in steps) else "next"
    return [{"type": "actions", "block_id": block_id, "elements": buttons}] if buttons else []


def with_menu(section: Block, record: RunRecord, steps: Steps) -> Block:
    """Return the section with the menu of the steps that are in it."""
    items = [step for step in steps if step.in_menu]
    if not items:
        return section
    options = [(step.label, f"{_value(record)}:{step.name}") for step in items]
    return {**section, "accessory": overflow(MENU_ACTION, options)}


def typed_steps(steps: Iterable[NextStep], visible_text: str = "") -> str:
    """Return what to type for the steps. `visible_text`: text whose commands are not repeated."""
    return "  ·  ".join(
        f"{step.label}: {inline_code(f'/swarm {step.command}') if step.command else BY_BUTTON}"
        for step in steps
        if not step.command or inline_code(f"/swarm {step.command}") not in visible_text
    )


def without_buttons(blocks: Iterable[Block]) -> list[Block]:
    """Return the blocks without buttons and menus."""
    rest = (block for block in blocks if block["type"] != "actions")
    return [{name: part for name, part in block.items() if name != "accessory"} for block in rest]


def _button(record: RunRecord, step: NextStep) -> Block:
    action = f"run.{step.choice}" if step.choice else f"{ACTION}{step.name}"
    confirm = _dialog(f"{step.label}?", step.confirm, step.label, step.style) if step.confirm else None
    description = truncate(strip_control(step.description), MAX_DESCRIPTION)
    return button(step.label, action, _value(record), step.style, description, confirm)


def _dialog(title: str, text: str, yes: str, style: str = "") -> Block:
    """Return a confirmation dialog. The button that closes it without an effect is "Not now"."""
    dialog: Block = {
        "title": {"type": "plain_text", "text": title},
        "text": {"type": "plain_text", "text": truncate(strip_control(text), MAX_CONFIRM)},
        "confirm": {"type": "plain_text", "text": yes},
        "deny": {"type": "plain_text", "text": "Not now"},
    }
    return {**dialog, "style": style} if style else dialog


def _value(record: RunRecord) -> str:
    return f"{record.run}:{record.job_count}"
