"""A fleet's migration as its one message shows it: the plan before the start, then a row a host. Pure."""

from bot.messages import run_message as one_run
from bot.messages import run_text, tables
from bot.messages.block_kit import PART_LIMIT, Block, Message, context, duration, fit_text, section
from bot.messages.escape import escape_mrkdwn
from bot.messages.findings import finding_line, render_findings
from bot.messages.question import question_text, render_question, typed_choices
from bot.messages.run_message import format_outcome, outcome_text, requested_line
from bot.messages.run_text import decision_line, outcome_emoji, outcome_label
from bot.messages.tables import Table
from bot.state import fleet_state
from bot.state.fleet_state import FleetState, HostState, outcome
from bot.state.run_state import RunState, latest_started_step
from imker.text import truncate

EMOJI = {"planning": "🔎", "asking": "✋", "going": "🐝", "paused": "⏸️", "pending": "✋", "over": "✅"}
STATUS_TEXT = {
    "ahead": "not yet", "going": "going on", "asking": "has a question", "pending": "waits to be accepted",
    "done": "in the swarm", "failed": "failed", "cancelled": "cancelled",
}  # fmt: skip
FLEET_STATUS_TEXT = {
    "planning": "planning", "asking": "planned: start?", "going": "going on", "paused": "paused",
    "pending": "all moved; managers wait to be accepted", "over": "done",
}  # fmt: skip


def render_any(view: RunState, fleet: FleetState | None) -> Message:
    """A run's one message. `whole`: the fleet, if the run is a fleet's."""
    return render(fleet) if fleet else one_run.render(view)


def render(view: FleetState) -> Message:
    head, end = _headline(view), outcome(view)
    table = _progress_table(view) if view.start else _plan_table(view)
    blocks: list[Block] = [section(head), context(requested_line(view.run))]
    blocks += [tables.table_block(table)] if table.rows else []
    more = tables.omitted_rows(table)
    blocks += [context(f"and {more} more hosts, all of them in the report at the end")] if more else []
    blocks += _host_findings(view) if view.start is None else []
    blocks += render_findings(view.plan.findings) + render_question(view.run)
    text_lines = [*map(decision_line, view.run.decisions), *_hold_text(view)]
    blocks += [context(line) for line in text_lines]
    words = format_outcome(end) if end and view.start else outcome_text(view.run)
    blocks += [section(words)] if words else []
    lines = (head, "```" + escape_mrkdwn(tables.table_text(table)) + "```")
    return Message(
        fit_text(lines, (question_text(view.run), typed_choices(view.run), *text_lines, words)), tuple(blocks)
    )


def _headline(view: FleetState) -> str:
    mark, says = summary(view)
    return f"{mark} *Migrate the whole fleet*  {says}"


def summary(view: FleetState) -> tuple[str, str]:
    """Its mark, and its state in a few words."""
    end, now = outcome(view), fleet_state.fleet_status(view)
    mark, says = EMOJI[now], FLEET_STATUS_TEXT[now]
    if view.start is None and now == "over":
        mark, says = run_text.emoji(view.run), run_text.status_text(view.run)
    elif end:
        mark, says = outcome_emoji(end), outcome_label(end)
    elif now == "asking" and view.start:
        says = "a host has a question"
    return mark, f"{says}, {len(view.with_status('done', 'pending'))} of {len(view.hosts)} hosts"


def _plan_table(view: FleetState) -> Table:
    rows: list[tuple[str, ...]] = [
        (
            str(number), leg.plan.host, leg.plan.role, str(leg.plan.step_count), _finding_counts(leg), leg.plan.tolerance,
        )
        for number, leg in enumerate(view.hosts, 1)
    ]  # fmt: skip
    rows += [("", host, "", "0", "nothing to do", "") for host in view.plan.done_hosts]
    return Table(("", "HOST", "ROLE", "STEPS", "FINDINGS", "THE SWARM THEN"), tuple(rows))


def _finding_counts(leg: HostState) -> str:
    levels = [finding.level for finding in leg.plan.findings]
    counted = [f"{levels.count(level)} {level}" for level in ("block", "warn") if level in levels]
    return ", ".join(counted) or "none"


def _progress_table(view: FleetState) -> Table:
    return Table(("HOST", "ROLE", "STATE", "NOW", "TOOK", "RUN"), tuple(map(_row, view.hosts)))


def _row(leg: HostState) -> tuple[str, ...]:
    if leg.run is None:
        return (leg.plan.host, leg.plan.role, STATUS_TEXT["ahead"], "", "", "")
    run = leg.run
    step = latest_started_step(run)
    now = step.title if step and leg.status in ("going", "failed", "cancelled") else ""
    took = duration(run.finished_at - run.record.requested_at) if run.finished_at else ""
    return (leg.plan.host, leg.plan.role, STATUS_TEXT[leg.status], now, took, run.record.run)


def _host_findings(view: FleetState) -> list[Block]:
    lines = [
        f"*{escape_mrkdwn(leg.plan.host)}* {finding_line(finding)}"
        for leg in view.hosts
        for finding in leg.plan.findings
    ]
    return [section(truncate("\n".join(lines), PART_LIMIT))] if lines else []


def _hold_text(view: FleetState) -> list[str]:
    words = {"pause": "Paused", "resume": "Resumed", "cancel": "Cancelled"}
    if view.hold is None:
        return []
    by = f" by <@{escape_mrkdwn(view.hold.user)}>" if view.hold.user else ""
    return [f"{words[view.hold.action]}{by}" + (f": {escape_mrkdwn(view.hold.why)}" if view.hold.why else "")]
