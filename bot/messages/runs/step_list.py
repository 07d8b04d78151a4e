"""Render a run's steps: the completed ones folded away in a container, and a plan with the others. Pure."""

from collections.abc import Iterator, Sequence

from bot.messages.block_kit import MAX_STEPS, Block, container, duration, rich_text, section
from bot.messages.escape import escape_mrkdwn, escape_with_code
from bot.state.run_state import RunState, StepState
from imker.text import strip_control, truncate

MAX_TITLE, STEPS_PER_SECTION = 100, 5  # characters of a step's title; completed steps in one section of the container
TASK_STATUS = {"pending": "pending", "running": "in_progress", "done": "complete", "failed": "error"}


def render_steps(state: RunState, note_limit: int) -> list[Block]:
    """Return a container with the completed steps, and a plan with the others. `note_limit`: characters of a note."""
    visible_steps, more = state.steps[:MAX_STEPS], len(state.steps) - MAX_STEPS
    completed = [step for step in visible_steps if step.status == "done"]
    tasks = [_task(index, step, note_limit) for index, step in enumerate(visible_steps) if step.status != "done"]
    total = len(state.steps)
    title = f"{total - len(completed)} of {total} steps left" if completed else f"{total} step{'s' * (total != 1)}"
    # With a constant block_id the plan stays expanded in Slack when the message is edited.
    plan: Block = {"type": "plan", "block_id": "plan", "title": title + (f", {more} not shown" if more > 0 else "")}
    folded = container(
        "done_steps", f"✓ {len(completed)} of {total} steps done", list(_sections(completed, note_limit))
    )
    return [*([folded] if completed else []), *([{**plan, "tasks": tasks}] if tasks else [])]


def step_duration(step: StepState) -> str:
    """Return how long a step took, "" below one second."""
    seconds = step.ended_at - step.started_at if step.ended_at and step.started_at else 0.0
    return duration(seconds) if round(seconds) else ""


def _sections(steps: Sequence[StepState], note_limit: int) -> Iterator[Block]:
    for first in range(0, len(steps), STEPS_PER_SECTION):
        lines = (_line(step, note_limit) for step in steps[first : first + STEPS_PER_SECTION])
        yield section("\n".join(lines))


def _line(step: StepState, note_limit: int) -> str:
    title = escape_mrkdwn(truncate(step.title, MAX_TITLE)) or "step"
    note = escape_with_code(truncate(step.note or step.detail, note_limit))
    return "  ".join(filter(None, (f"✓ *{title}*", note, _in_brackets(step_duration(step)))))


def _task(index: int, step: StepState, note_limit: int) -> Block:
    task: Block = {
        "type": "task_card",
        "task_id": f"{step.job}-{index}",
        "title": truncate(strip_control(step.title), MAX_TITLE) or "step",
        "status": TASK_STATUS[step.status],
    }
    output = "  ".join(filter(None, (step.note, _in_brackets(step_duration(step)))))
    texts = {
        "details": truncate(strip_control(step.detail), note_limit),
        "output": truncate(strip_control(output), note_limit),
    }
    return {**task, **{name: rich_text(text) for name, text in texts.items() if text}}


def _in_brackets(text: str) -> str:
    return text and f"({text})"
