"""A run's view as its one message shows it. Pure."""

from collections.abc import Mapping, Sequence

from bot.messages import approval_card, run_text, tables
from bot.messages.block_kit import (
    LINE_LIMIT,
    MAX_FINDINGS,
    MAX_STEPS,
    PART_LIMIT,
    SECTION_LIMIT,
    TEXT_LIMIT,
    Block,
    Message,
    context,
    duration,
    fit_text,
    rich_text,
    section,
    timestamp,
    visible_length,
)
from bot.messages.escape import escape_code, escape_mrkdwn
from bot.messages.findings import finding_line, render_findings
from bot.messages.outcome_text import lost_text, outcome, run_lost_text
from bot.messages.question import question_text, render_question, typed_choices
from bot.state.run_state import RunState, StepState
from imker.protocol.commands import PlanHost
from imker.protocol.events import JobFinished, NodeTable, ThreadDetail
from imker.text import strip_control, truncate

MAX_TITLE, MAX_DIFF = 100, 2500  # characters: a task's title, a diff
NOTE_LIMITS = (300, 120, 40, 0)  # characters of a step's note: the most that keep the whole message in bounds
MESSAGE_LIMIT = 12_000  # characters
TASK_STATUS = {"pending": "pending", "running": "in_progress", "done": "complete", "failed": "error"}


def render(view: RunState) -> Message:
    """The run's one message, with as much of the steps' notes as Slack takes."""
    messages = (_message(view, note) for note in NOTE_LIMITS)
    last = _message(view, NOTE_LIMITS[-1])
    return next((message for message in messages if visible_length(list(message.blocks)) <= MESSAGE_LIMIT), last)


def _message(view: RunState, note: int) -> Message:
    blocks = [section(run_text.headline(view)), context(requested_line(view))]
    blocks += (
        _plan(view, note)
        + render_findings(view.findings, isinstance(view.record.command, PlanHost))
        + _diff(view)
        + _table(view)
        + render_question(view)
    )
    blocks += [context(run_text.decision_line(decision)) for decision in view.decisions]
    last = _closing_lines(view)
    blocks += [section(line) for line in last]
    return Message(_text(view, last), tuple(blocks))


def _closing_lines(view: RunState) -> list[str]:
    """What is said aloud, what could not be read, and how it ended."""
    words = [line for _, line in approval_card.self_approval_alerts(view.record)]
    words += [run_text.protocol_warning(view)] if view.other_protocol is not None else []
    words += [run_text.signature_warning()] if view.has_unsigned_entries else []
    return [word for word in (*words, outcome_text(view)) if word]


def run_lost_message(metadata: Mapping[str, str]) -> Message:
    """Instead of the message of a run that Redis has lost; `told`: what that message's mark has kept of it."""
    run, text, asker = (
        escape_mrkdwn(truncate(metadata.get(name, ""), LINE_LIMIT)) for name in ("run", "text", "asker")
    )
    lead, says = f"❓ *{text}*  forgotten", run_lost_text(text)
    return Message(f"{lead}\n{says}", (section(lead), context(f"<@{asker}> asked  ·  run `{run}`"), section(says)))


def thread_detail(detail: ThreadDetail) -> Message:
    """A reply in the run's thread; of what is too long, the end is kept."""
    body = escape_code(strip_control(detail.text)[-TEXT_LIMIT:])[-SECTION_LIMIT + 10 :]
    title = escape_mrkdwn(detail.title)
    return Message(f"{title}\n{truncate(body, TEXT_LIMIT)}", (section(f"*{title}*"), section(f"```{body or ' '}```")))


# --- the parts of a run's message -----------------------------------------------------------------------------------


def requested_line(view: RunState) -> str:
    """Only what is over has a duration: one that grows would be an edit every second."""
    took = f"{duration(view.finished_at - view.record.requested_at)}  ·  " if view.finished_at else ""
    part = f" of `{view.record.parent_run}`" if view.record.parent_run else ""
    return f"<@{view.record.requester}> asked at {timestamp(view.record.requested_at)}  ·  {took}run `{view.record.run}`{part}"


def _plan(view: RunState, note: int) -> list[Block]:
    if not view.steps:
        return []
    visible_steps, more = view.steps[:MAX_STEPS], len(view.steps) - MAX_STEPS
    title = f"{sum(step.status == 'done' for step in view.steps)} of {len(view.steps)} steps"
    title += f", and {more} more" if more > 0 else ""
    tasks = [_task(index, step, note) for index, step in enumerate(visible_steps)]
    # A constant block_id keeps the plan open in people's clients when the message is edited.
    return [{"type": "plan", "block_id": "plan", "title": title, "tasks": tasks}]


def _task(index: int, step: StepState, note: int) -> Block:
    task: Block = {
        "type": "task_card",
        "task_id": f"{step.job}-{index}",
        "title": truncate(strip_control(step.title), MAX_TITLE) or "a step",
        "status": TASK_STATUS[step.status],
    }
    texts = {
        "details": truncate(strip_control(step.detail), note),
        "output": truncate(strip_control(_outcome(step)), note),
    }
    return {**task, **{name: rich_text(text) for name, text in texts.items() if text}}


def _outcome(step: StepState) -> str:
    """What a step says of itself, and how long it took."""
    took = f"  ({duration(step.ended_at - step.started_at)})" if step.ended_at and step.started_at else ""
    return step.note + took if step.note or took else ""


def _diff(view: RunState) -> list[Block]:
    """In the message of a plan only; a migration's goes into its thread."""
    if not view.diff or not isinstance(view.record.command, PlanHost):
        return []
    return [section("```" + escape_code(truncate(strip_control(view.diff), MAX_DIFF)) + "```")]


def _table(view: RunState) -> list[Block]:
    if view.table is None:
        return []
    table = tables.table_of(view.table)
    blocks = [tables.table_block(table)] if table.rows else []
    more = tables.omitted_rows(table)
    lines = [f"and {more} more"] if more else []
    if isinstance(view.table, NodeTable):
        lines.append(f"{_source(view.table, view.now)} at {timestamp(view.table.taken_at)}")
    return [*blocks, *([context("  ·  ".join(lines))] if lines else [])]


def _source(table: NodeTable, now: float) -> str:
    """Who was asked; of a table that is not of now, its age, why, and who told it then."""
    manager = truncate(escape_mrkdwn(table.answered_by), LINE_LIMIT)
    if not table.stale_reason:
        return f"asked {manager}"
    return f"⚠️ {duration(now - table.taken_at)} old ({truncate(escape_mrkdwn(table.stale_reason), LINE_LIMIT)}): told by {manager}"


def outcome_text(view: RunState) -> str:
    """The result, or: what failed, in what state it was left, what to type next."""
    if view.status == "lost":
        return lost_text(view)
    return format_outcome(outcome(view)) if view.status == "over" else ""


def format_outcome(outcome: JobFinished) -> str:
    by = (
        f" by <@{escape_mrkdwn(outcome.user)}>" if outcome.user else ""
    )  # an ID that Imker tells lives, one in a host's words does not
    parts = (escape_mrkdwn(outcome.summary) + by, escape_mrkdwn(outcome.state), escape_mrkdwn(outcome.hint))
    return truncate("\n".join(part for part in parts if part), PART_LIMIT)


def _text(view: RunState, last: Sequence[str]) -> str:
    """All that the blocks show. What is too long loses lines of its middle: neither its question nor its end."""
    lines = [
        f"{run_text.emoji(view)} {escape_mrkdwn(run_text.title(view))}: {escape_mrkdwn(run_text.status_text(view))}"
    ]
    lines += [f"{TASK_STATUS[step.status]}: {escape_mrkdwn(step.title)}" for step in view.steps[:MAX_STEPS]]
    if view.table is not None:
        lines.append("```" + escape_mrkdwn(tables.table_text(tables.table_of(view.table))) + "```")
    if isinstance(view.table, NodeTable):
        lines.append(_source(view.table, view.now))
    lines += [finding_line(finding) for finding in view.findings if finding.level != "pass"][:MAX_FINDINGS]
    return fit_text(
        lines, [question_text(view), typed_choices(view), *map(run_text.decision_line, view.decisions), *last]
    )
