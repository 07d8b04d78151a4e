"""Render a fleet's migration as one message: the plan before the start, then one row per host. Pure."""

from dataclasses import replace

from bot.messages import tables
from bot.messages.block_kit import PART_LIMIT, Block, Message, context, duration, fit_text, section
from bot.messages.escape import escape_code, escape_mrkdwn, escape_with_code
from bot.messages.next_steps import step_buttons, typed_steps, with_menu
from bot.messages.runs import run_message, run_text
from bot.messages.runs.findings import finding_line, render_findings
from bot.messages.runs.question import question_text
from bot.messages.runs.run_message import format_outcome, outcome_text, requested_line
from bot.messages.runs.run_text import decision_lines, outcome_emoji, outcome_label
from bot.messages.tables import Table
from bot.state import fleet_state
from bot.state.fleet_state import FleetState, FleetStatus, HostState, HostStatus, outcome
from bot.state.next_steps import next_steps
from bot.state.run_state import RunState, latest_started_step
from imker.protocol.events import JobFinished
from imker.text import truncate

EMOJI: dict[FleetStatus, str] = {
    "planning": "🔎", "waiting": "✋", "running": "🐝", "paused": "⏸️", "unaccepted": "✋", "finished": "✅",
}  # fmt: skip
STATUS_TEXT: dict[HostStatus, str] = {
    "pending": "pending", "running": "running", "waiting": "waiting for input", "unaccepted": "waiting to be accepted",
    "done": "done", "failed": "failed", "cancelled": "cancelled",
}  # fmt: skip
FLEET_STATUS_TEXT: dict[FleetStatus, str] = {
    "planning": "planning", "waiting": "planned: start?", "running": "running", "paused": "paused",
    "unaccepted": "done; managers are waiting to be accepted", "finished": "done",
}  # fmt: skip
HOLD_TEXT = {"pause": "Paused", "resume": "Resumed", "cancel": "Cancelled"}


def render_any(state: RunState, fleet: FleetState | None) -> Message:
    """Render the run's message. `fleet`: the fleet's state, if this is a fleet's run."""
    return render(fleet) if fleet else run_message.render(state)


def render(fleet: FleetState) -> Message:
    """Render the fleet's message: headline, table, findings, question, decisions, and outcome."""
    lead, end = _headline(fleet), outcome(fleet)
    steps, text = next_steps(fleet.run, fleet), question_text(fleet.run)
    table = _progress_table(fleet) if fleet.start else _plan_table(fleet)
    decisions = [*decision_lines(fleet.run), *_hold_lines(fleet)]
    downloads = [] if fleet.start else _downloads(fleet)
    closing = format_outcome(_without_headline(end)) if end and fleet.start else outcome_text(fleet.run)
    blocks = [
        with_menu(section(lead), fleet.run.record, steps),
        context(requested_line(fleet.run)),
        *_table_blocks(table),
        *map(context, downloads),
        *([] if fleet.start else _host_findings(fleet)),
        *render_findings(fleet.plan.findings),
        *([section(text)] if text else []),
        *map(context, decisions),
        *([section(closing)] if closing else []),
        *step_buttons(fleet.run.record, steps),
    ]
    lines = (lead, "```" + escape_code(tables.table_text(table)) + "```")
    last = (*downloads, text, *decisions, closing)
    return Message(fit_text(lines, [*last, typed_steps(steps, "\n".join(last))]), tuple(blocks))


def _table_blocks(table: Table) -> list[Block]:
    more = tables.omitted_rows(table)
    blocks = [tables.table_block(table)] if table.rows else []
    return blocks + ([context(f"and {more} more hosts; the final report lists all of them")] if more else [])


def _headline(fleet: FleetState) -> str:
    mark, status = summary(fleet)
    end = outcome(fleet)
    if fleet.start and end and end.outcome == "done":
        return f"{mark} *{escape_with_code(end.summary.removesuffix('.'))}*"
    return f"{mark} *{run_text.title(fleet.run)}*  {status}"


def _without_headline(end: JobFinished) -> JobFinished:
    """Return the outcome without the summary that the headline shows."""
    return replace(end, summary="") if end.outcome == "done" else end


def summary(fleet: FleetState) -> tuple[str, str]:
    """Return the fleet's emoji, and its status in a few words, with a count if a host has something to do."""
    end, status = outcome(fleet), fleet_state.fleet_status(fleet)
    mark, text = EMOJI[status], FLEET_STATUS_TEXT[status]
    if fleet.start is None and status == "finished":
        mark, text = run_text.emoji(fleet.run), run_text.status_text(fleet.run)
    elif end:
        mark, text = outcome_emoji(end), outcome_label(end)
    elif status == "waiting" and fleet.start:
        text = "a host is waiting for input"
    return mark, text + _host_count(fleet) if fleet.hosts else text


def _host_count(fleet: FleetState) -> str:
    """Return how many hosts are planned or, once the fleet was started, how many of them are done."""
    if fleet.start:
        return f", {len(fleet.with_status('done', 'unaccepted'))} of {len(fleet.hosts)} hosts"
    return f" ({len(fleet.hosts)} host{'s' * (len(fleet.hosts) != 1)})"


def _plan_table(fleet: FleetState) -> Table:
    rows: list[tuple[str, ...]] = [
        (
            str(number), host.plan.host, host.plan.role, str(host.plan.step_count), _finding_counts(host),
            host.plan.tolerance,
        )
        for number, host in enumerate(fleet.hosts, 1)
    ]  # fmt: skip
    rows += [("", host, "", "0", "nothing to do", "") for host in fleet.plan.done_hosts]
    return Table(("", "HOST", "ROLE", "STEPS", "FINDINGS", "SWARM AFTERWARDS"), tuple(rows), "Plan of the fleet", 1)


def _downloads(fleet: FleetState) -> list[str]:
    """Return what Start approves besides the hosts' runs: the packages that are downloaded ahead."""
    ahead = [host.plan for host in fleet.hosts if host.plan.packages]
    if not ahead:
        return []
    packages = ", ".join(dict.fromkeys(package for plan in ahead for package in plan.packages))
    hosts = "1 host downloads its" if len(ahead) == 1 else f"{len(ahead)} hosts download their"
    verb = "upgraded" if fleet_state.is_upgrade(fleet) else "migrated"
    return [
        f"While the first host is {verb}, {hosts} packages: {escape_mrkdwn(truncate(packages, 300))}. "
        "Nothing else changes on them before their turn."
    ]


def _finding_counts(host: HostState) -> str:
    levels = [finding.level for finding in host.plan.findings]
    blocks, warnings = levels.count("block"), levels.count("warn")
    counts = [f"{blocks} to fix"] * bool(blocks) + [f"{warnings} warning{'s' * (warnings != 1)}"] * bool(warnings)
    return ", ".join(counts) or "none"


def _progress_table(fleet: FleetState) -> Table:
    return Table(
        ("HOST", "ROLE", "STATUS", "STEP", "DURATION", "RUN"), tuple(map(_row, fleet.hosts)), "Hosts of the fleet"
    )


def _row(host: HostState) -> tuple[str, ...]:
    name, role, run = host.plan.host, host.plan.role, host.run
    if run is None:
        return (name, role, STATUS_TEXT["pending"], "", "", "")
    step = latest_started_step(run)
    title = step.title if step and host.status in ("running", "failed", "cancelled") else ""
    took = duration(run.finished_at - run.record.requested_at) if run.finished_at else ""
    return (name, role, STATUS_TEXT[host.status], title, took, run.record.run)


def _host_findings(fleet: FleetState) -> list[Block]:
    lines = [
        f"*{escape_mrkdwn(host.plan.host)}* {finding_line(finding)}"
        for host in fleet.hosts
        for finding in host.plan.findings
    ]
    return [section(truncate("\n".join(lines), PART_LIMIT))] if lines else []


def _hold_lines(fleet: FleetState) -> list[str]:
    hold = fleet.hold
    if hold is None or fleet_state.ended_by_hold(fleet):
        return []
    user = f" by <@{escape_mrkdwn(hold.user)}>" if hold.user else ""
    return [f"{HOLD_TEXT[hold.action]}{user}" + (f": {escape_mrkdwn(hold.why)}" if hold.why else "")]
