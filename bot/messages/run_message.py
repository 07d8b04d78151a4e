"""Render a run as its one message. Pure."""

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
from bot.messages.next_command import next_step_text
from bot.messages.outcome_text import lost_text, outcome, run_lost_text
from bot.messages.question import question_text, render_question, typed_choices
from bot.state.run_state import RunState, StepState
from imker.protocol.commands import PlanHost
from imker.protocol.events import JobFinished, NodeTable, ThreadDetail
from imker.text import strip_control, truncate

MAX_TITLE, MAX_DIFF = 100, 2500  # characters: of a task's title, of a diff
NOTE_LIMITS = (300, 120, 40, 0)  # characters of a step's note; the first limit with which the message fits is used
MESSAGE_LIMIT = 12_000  # visible characters of a message
TASK_STATUS = {"pending": "pending", "running": "in_progress", "done": "complete", "failed": "error"}


def render(state: RunState) -> Message:
    """Return the run's message, with the longest step notes that Slack accepts."""
    messages = (_message(state, note_limit) for note_limit in NOTE_LIMITS)
    shortest = _message(state, NOTE_LIMITS[-1])
    return next((message for message in messages if visible_length(list(message.blocks)) <= MESSAGE_LIMIT), shortest)


def _message(state: RunState, note_limit: int) -> Message:
    closing = _closing_lines(state)
    blocks = [
        section(run_text.headline(state)),
        context(requested_line(state)),
        *_plan(state, note_limit),
        *render_findings(state.findings, isinstance(state.record.command, PlanHost)),
        *_diff(state),
        *_table(state),
        *render_question(state),
        *(context(run_text.decision_line(decision)) for decision in state.decisions),
        *map(section, closing),
    ]
    return Message(_text(state, closing), tuple(blocks))


def _closing_lines(state: RunState) -> list[str]:
    """Return self-approval alerts, warnings about unreadable events, and the outcome."""
    alerts = [line for _, line in approval_card.self_approval_alerts(state.record)]
    warnings = [run_text.protocol_warning(state)] if state.other_protocol is not None else []
    warnings += [run_text.signature_warning()] if state.has_unsigned_entries else []
    return [line for line in (*alerts, *warnings, outcome_text(state)) if line]


def run_lost_message(metadata: Mapping[str, str]) -> Message:
    """Return the message that replaces that of a run which Redis has lost. `metadata`: what Slack kept with it."""
    run, command_text, requester = (
        escape_mrkdwn(truncate(metadata.get(name, ""), LINE_LIMIT)) for name in ("run", "text", "asker")
    )
    lead, explanation = f"❓ *{command_text}*  lost", run_lost_text(command_text)
    origin = f"Requested by <@{requester}>  ·  run `{run}`"
    return Message(f"{lead}\n{explanation}", (section(lead), context(origin), section(explanation)))


def thread_detail(detail: ThreadDetail) -> Message:
    """Return a reply for the run's thread. If the text is too long, its end is shown."""
    body = escape_code(strip_control(detail.text)[-TEXT_LIMIT:])[-SECTION_LIMIT + 10 :]
    title = escape_mrkdwn(detail.title)
    return Message(f"{title}\n{truncate(body, TEXT_LIMIT)}", (section(f"*{title}*"), section(f"```{body or ' '}```")))


# --- the parts of a run's message -----------------------------------------------------------------------------------


def requested_line(state: RunState) -> str:
    """Return who requested the run and when, and how long it took.

    A running run shows no duration: the message would have to be edited every second.
    """
    record = state.record
    took = f"{duration(state.finished_at - record.requested_at)}  ·  " if state.finished_at else ""
    parent = f" of `{record.parent_run}`" if record.parent_run else ""
    requested = f"Requested by <@{record.requester}> at {timestamp(record.requested_at)}"
    return f"{requested}  ·  {took}run `{record.run}`{parent}"


def _plan(state: RunState, note_limit: int) -> list[Block]:
    if not state.steps:
        return []
    visible_steps, more = state.steps[:MAX_STEPS], len(state.steps) - MAX_STEPS
    title = f"{sum(step.status == 'done' for step in state.steps)} of {len(state.steps)} steps"
    title += f", and {more} more" if more > 0 else ""
    tasks = [_task(index, step, note_limit) for index, step in enumerate(visible_steps)]
    # With a constant block_id the plan stays expanded in Slack when the message is edited.
    return [{"type": "plan", "block_id": "plan", "title": title, "tasks": tasks}]


def _task(index: int, step: StepState, note_limit: int) -> Block:
    task: Block = {
        "type": "task_card",
        "task_id": f"{step.job}-{index}",
        "title": truncate(strip_control(step.title), MAX_TITLE) or "step",
        "status": TASK_STATUS[step.status],
    }
    texts = {
        "details": truncate(strip_control(step.detail), note_limit),
        "output": truncate(strip_control(_output(step)), note_limit),
    }
    return {**task, **{name: rich_text(text) for name, text in texts.items() if text}}


def _output(step: StepState) -> str:
    """Return the step's note and how long it took."""
    took = f"  ({duration(step.ended_at - step.started_at)})" if step.ended_at and step.started_at else ""
    return step.note + took


def _diff(state: RunState) -> list[Block]:
    """Return the diff of a plan. A migration's diff is posted in its thread."""
    if not state.diff or not isinstance(state.record.command, PlanHost):
        return []
    return [section("```" + escape_code(truncate(strip_control(state.diff), MAX_DIFF)) + "```")]


def _table(state: RunState) -> list[Block]:
    if state.table is None:
        return []
    table = tables.table_of(state.table)
    blocks = [tables.table_block(table)] if table.rows else []
    more = tables.omitted_rows(table)
    lines = [f"and {more} more"] if more else []
    if isinstance(state.table, NodeTable):
        lines.append(f"{_source(state.table, state.now)} at {timestamp(state.table.taken_at)}")
    return [*blocks, *([context("  ·  ".join(lines))] if lines else [])]


def _source(table: NodeTable, now: float) -> str:
    """Return which manager reported the table and, if it is an old one, its age and why."""
    manager = truncate(escape_mrkdwn(table.answered_by), LINE_LIMIT)
    if not table.stale_reason:
        return f"Reported by {manager}"
    reason = truncate(escape_mrkdwn(table.stale_reason), LINE_LIMIT)
    return f"⚠️ {duration(now - table.taken_at)} old ({reason}), reported by {manager}"


def outcome_text(state: RunState) -> str:
    """Return the result, or what failed, in which state it left the host, and what to type next."""
    if state.status == "lost":
        return lost_text(state)
    return format_outcome(outcome(state)) if state.status == "finished" else ""


def format_outcome(outcome: JobFinished) -> str:
    """Return summary, state, and what to do next, one per line."""
    # A user ID that Imker reports is a mention. One in a host's output is escaped.
    user = f" by <@{escape_mrkdwn(outcome.user)}>" if outcome.user else ""
    next_step = next_step_text(outcome.hint, outcome.next_commands)
    parts = (escape_mrkdwn(outcome.summary) + user, escape_mrkdwn(outcome.state), next_step)
    return truncate("\n".join(part for part in parts if part), PART_LIMIT)


def _text(state: RunState, closing: Sequence[str]) -> str:
    """Return everything that the blocks show. A long text loses middle lines, not the question or the outcome."""
    title, status = escape_mrkdwn(run_text.title(state)), escape_mrkdwn(run_text.status_text(state))
    lines = [f"{run_text.emoji(state)} {title}: {status}"]
    lines += [f"{TASK_STATUS[step.status]}: {escape_mrkdwn(step.title)}" for step in state.steps[:MAX_STEPS]]
    if state.table is not None:
        lines.append("```" + escape_mrkdwn(tables.table_text(tables.table_of(state.table))) + "```")
    if isinstance(state.table, NodeTable):
        lines.append(_source(state.table, state.now))
    lines += [finding_line(finding) for finding in state.findings if finding.level != "pass"][:MAX_FINDINGS]
    decisions = map(run_text.decision_line, state.decisions)
    return fit_text(lines, [question_text(state), typed_choices(state), *decisions, *closing])
