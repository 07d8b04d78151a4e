"""Render a run as its one message. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from bot.messages import tables
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
    section,
    timestamp,
    visible_length,
)
from bot.messages.escape import escape_code, escape_mrkdwn, escape_with_code, inline_code
from bot.messages.filtered_rows import filter_of
from bot.messages.next_command import next_step_text
from bot.messages.next_steps import step_buttons, typed_steps, with_menu
from bot.messages.runs import approval_card, run_text, service_message, step_list
from bot.messages.runs.findings import finding_line, render_findings
from bot.messages.runs.headline import headline, headline_text, rest_of_summary
from bot.messages.runs.outcome_text import lost_text, outcome, run_lost_text
from bot.messages.runs.question import question_text
from bot.messages.runs.step_list import TASK_STATUS
from bot.state.next_step import NextStep
from bot.state.next_steps import next_steps
from bot.state.run_state import RunState, latest_started_step
from imker.protocol.commands import ListHosts, ListNodes, PlanHost, RunDoctor
from imker.protocol.events import HostTable, JobFinished, NodeTable, ThreadDetail
from imker.protocol.service_commands import ListServices, RestartService, RollBackService, ShowService
from imker.protocol.service_events import ServiceTable
from imker.text import strip_control, truncate

MAX_DIFF = 2500  # characters of a diff
NOTE_LIMITS = (300, 120, 40, 0)  # characters of a step's note; the first limit with which the message fits is used
FILTER_HINT = "to see them, use `--filter`"
COUNTED_COMMANDS = ListHosts | ListNodes | ListServices | ShowService | RunDoctor  # whose headline is the result
MESSAGE_LIMIT = 12_000  # visible characters of a message


def render(state: RunState) -> Message:
    """Return the run's message, with the longest step notes that Slack accepts."""
    *longer, shortest = NOTE_LIMITS
    messages = (_message(state, note_limit) for note_limit in longer)
    fitting = (message for message in messages if visible_length(list(message.blocks)) <= MESSAGE_LIMIT)
    return next(fitting, None) or _message(state, shortest)


def _message(state: RunState, note_limit: int) -> Message:
    closing, steps, text = _closing_lines(state), next_steps(state, None), question_text(state)
    blocks = [
        with_menu(section(headline(state)), state.record, steps),
        context(requested_line(state)),
        *step_list.render_steps(state, note_limit),
        *render_findings(state.findings, folds_notes=latest_started_step(state) is not None),
        *_diff(state),
        *_table(state),
        *(service_message.service_blocks(state.service, state.now) if state.service else []),
        *([section(text)] if text else []),
        *map(context, run_text.decision_lines(state)),
        *map(section, closing),
        *step_buttons(state.record, steps),
    ]
    return Message(_text(state, closing, steps), tuple(blocks))


def _closing_lines(state: RunState) -> list[str]:
    """Return self-approval alerts, warnings about unreadable events, and the outcome."""
    alerts = [line for _, line in approval_card.self_approval_alerts(state.record)]
    warnings = [run_text.protocol_warning(state)] if state.other_protocol is not None else []
    warnings += [run_text.signature_warning()] if state.has_unsigned_entries else []
    return [line for line in (*alerts, *warnings, outcome_text(state)) if line]


def run_lost_message(metadata: Mapping[str, str]) -> Message:
    """Return the message that replaces that of a run which Redis has lost. `metadata`: what Slack kept with it."""
    run, command_text, requester = (truncate(metadata.get(name, ""), LINE_LIMIT) for name in ("run", "text", "asker"))
    lead, explanation = f"❓ *{escape_mrkdwn(command_text)}*  lost", run_lost_text(command_text)
    origin = f"Requested by <@{escape_mrkdwn(requester)}>  ·  run {inline_code(run)}"
    return Message(f"{lead}\n{explanation}", (section(lead), context(origin), section(explanation)))


def thread_detail(detail: ThreadDetail) -> Message:
    """Return a reply for the run's thread. If the text is too long, its end is shown."""
    body = escape_code(strip_control(detail.text)[-TEXT_LIMIT:])[-SECTION_LIMIT + 10 :].lstrip("`")
    title = escape_mrkdwn(detail.title)
    return Message(f"{title}\n{truncate(body, TEXT_LIMIT)}", (section(f"*{title}*"), section(f"```{body or ' '}```")))


# --- the parts of a run's message -----------------------------------------------------------------------------------


def requested_line(state: RunState) -> str:
    """Return what was requested, by whom, and when, and how long it took."""
    record = state.record
    took = f"{duration(state.finished_at - record.requested_at)}  ·  " if state.finished_at else ""
    parent = f" of `{record.parent_run}`" if record.parent_run else ""
    command = inline_code(f"/swarm {truncate(record.command.text, LINE_LIMIT)}")
    requested = f"{command} by <@{record.requester}> at {timestamp(record.requested_at)}"
    return f"{requested}  ·  {took}run `{record.run}`{parent}"


def _diff(state: RunState) -> list[Block]:
    """Return the diff of a plan. A migration's diff is posted in its thread."""
    if not state.diff or not isinstance(state.record.command, PlanHost | RestartService | RollBackService):
        return []
    return [section("```" + escape_code(truncate(strip_control(state.diff), MAX_DIFF)) + "```")]


def _table(state: RunState) -> list[Block]:
    if state.table is None:
        return []
    row_filter = filter_of(state.record.command)
    table = tables.table_of(state.table, row_filter)
    blocks = [tables.table_block(table)] if table.rows else []
    more = tables.omitted_rows(table)
    lines = [escape_mrkdwn(table.caption)] if row_filter.text else []
    lines += [f"and {more} more; {FILTER_HINT}"] if more else []
    if isinstance(state.table, ServiceTable):
        lines.append(f"Reported by {escape_mrkdwn(state.table.answered_by)} at {timestamp(state.table.taken_at)}")
    if isinstance(state.table, NodeTable):
        lines.append(f"{_source(state.table, state.now)} at {timestamp(state.table.taken_at)}")
    return [*blocks, *([context("  ·  ".join(lines))] if lines else [])]


def _table_text(state: RunState, table: HostTable | NodeTable | ServiceTable) -> str:
    row_filter = filter_of(state.record.command)
    matching = tables.table_of(table, row_filter)
    return f"{matching.caption}\n" * bool(row_filter.text) + tables.table_text(matching)


def _source(table: NodeTable, now: float) -> str:
    """Return which manager reported the table and, if it is an old one, its age and why."""
    manager = truncate(escape_mrkdwn(table.answered_by), LINE_LIMIT)
    if not table.stale_reason:
        return f"Reported by {manager}"
    reason = escape_with_code(truncate(table.stale_reason, LINE_LIMIT))
    return f"⚠️ {duration(now - table.taken_at)} old ({reason}), reported by {manager}"


def outcome_text(state: RunState) -> str:
    """Return the rest of the result, or what failed, in which state it left the host, and what to type next."""
    if state.status == "lost":
        return lost_text(state)
    return _rest_of_outcome(state, outcome(state)) if state.status == "finished" else ""


def _rest_of_outcome(state: RunState, end: JobFinished) -> str:
    """Return the outcome without what the headline, the table, or the findings show already."""
    is_counted = end.outcome == "done" and isinstance(state.record.command, COUNTED_COMMANDS)
    return format_outcome(replace(end, summary="" if is_counted else rest_of_summary(state, end)))


def format_outcome(outcome: JobFinished) -> str:
    """Return summary, state, and what to do next, one per line."""
    # A user ID that Imker reports is a mention. One in a host's output is escaped.
    user = f" by <@{escape_mrkdwn(outcome.user)}>" if outcome.user else ""
    next_step = next_step_text(outcome.hint, outcome.next_commands)
    parts = (escape_with_code(outcome.summary) + user, escape_with_code(outcome.state), next_step)
    return truncate("\n".join(part for part in parts if part), PART_LIMIT)


def _text(state: RunState, closing: Sequence[str], steps: Sequence[NextStep]) -> str:
    """Return everything that the blocks show. A long text loses middle lines, not the question or the outcome."""
    lines = [headline_text(state)]
    lines += [f"{TASK_STATUS[step.status]}: {escape_mrkdwn(step.title)}" for step in state.steps[:MAX_STEPS]]
    if state.table is not None:
        lines.append("```" + escape_code(_table_text(state, state.table)) + "```")
    if isinstance(state.table, NodeTable):
        lines.append(_source(state.table, state.now))
    lines += service_message.service_text(state.service, state.now) if state.service else []
    lines += [finding_line(finding) for finding in state.findings if finding.level != "pass"][:MAX_FINDINGS]
    last = [question_text(state), *run_text.decision_lines(state), *closing]
    return fit_text(lines, [*last, typed_steps(steps, "\n".join(last))])
