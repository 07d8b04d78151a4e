"""Render the report file of a fleet's migration: who decided, what changed, what remains. Pure."""

import re
import time
from collections.abc import Mapping

from bot.messages.block_kit import duration
from bot.messages.runs.fleet_message import STATUS_TEXT
from bot.messages.runs.run_text import DECISION_TEXT, outcome_label
from bot.records import Decision
from bot.state.fleet_state import FleetState, HostState, outcome
from bot.state.run_state import RunState, StepState
from imker.protocol.events import ContainerSnapshot, ThreadDetail
from imker.protocol.values import ContainerRow
from imker.text import strip_control

CODE_FENCE = "```"
NOT_IN_NAMES = re.compile(r"[^\w .'-]")  # characters of a user's name that are left out
TITLES = {"migrate_all": "Migration of the fleet", "upgrade_all": "Upgrade of the swarm"}  # by the command's type
NOT_STARTED = "Not started."
STEP_HEADER = ["", "| step | status | duration | |", "| --- | --- | --- | --- |"]
CONTAINER_HEADER = ["", "| container | image | policy | before | after |", "| --- | --- | --- | --- | --- |"]


def render_report(fleet: FleetState) -> str:
    """Return the report as Markdown that is readable as plain text."""
    record, end = fleet.run.record, outcome(fleet)
    command = f"/swarm {strip_control(record.command_text)}"
    lines = [
        f"# {TITLES[record.command.type]}, run {record.run}",
        "",
        f"- requested by {record.requester} at {_time(record.requested_at)}: {command}",
        *map(_decision, fleet.run.decisions),
        f"- outcome: {outcome_label(end)}: {strip_control(end.summary)}" if end else "- outcome: not finished",
        *([f"- {strip_control(end.state)}"] if end and end.state else []),
        *(f"- nothing to do on {host}" for host in fleet.plan.done_hosts),
    ]
    for host in fleet.hosts:
        lines += ["", *_host_section(host)]
    return "\n".join([*lines, "", "## Remaining", "", *_remaining(fleet), ""])


def people_of(fleet: FleetState) -> tuple[str, ...]:
    """Return the IDs of the users whom the report names."""
    runs = (fleet.run, *(host.run for host in fleet.hosts if host.run))
    deciders = (decision.user for run in runs for decision in run.decisions if decision.user)
    return tuple(dict.fromkeys((fleet.run.record.requester, *deciders)))


def add_names(report: str, names: Mapping[str, str], links: Mapping[str, str]) -> str:
    """Return the report with users' names, by user ID, and with links to the messages of runs, by run.

    A file cannot mention anyone. Users can change their names, so the IDs stay.
    """
    people = {user: f"@{NOT_IN_NAMES.sub('', strip_control(name))} ({user})" for user, name in names.items() if name}
    words = people | {run: f"[{run}]({link})" for run, link in links.items()}
    return re.sub(r"\b\w+\b", lambda word: words.get(word[0], word[0]), report)


def _host_section(host: HostState) -> list[str]:
    lead = [f"## {host.plan.host}, {host.plan.role}", ""]
    if host.run is None:
        return [*lead, NOT_STARTED]
    run, before, after = host.run, _snapshot(host.run, "before"), _snapshot(host.run, "after")
    took = f" in {duration(run.finished_at - run.record.requested_at)}" if run.finished_at else ""
    engine = [f"- Engine {before.engine or 'down'} before, {after.engine} after"] if before and after else []
    return [
        *lead,
        f"- run {run.record.run}: {STATUS_TEXT[host.status]}{took}",
        *engine,
        *map(_decision, run.decisions),
        *STEP_HEADER,
        *map(_step, run.steps),
        *(CONTAINER_HEADER if before else []),
        *_containers(before, after),
        *_details(run),
    ]


def _decision(decision: Decision) -> str:
    user = decision.user or "Imker"
    return f"- {DECISION_TEXT[decision.choice].lower()} by {user} at {_time(decision.decided_at)}"


def _step(step: StepState) -> str:
    took = duration(step.ended_at - step.started_at) if step.ended_at and step.started_at else ""
    return f"| {_cell(step.title)} | {step.status} | {took} | {_cell(step.note)} |"


def _containers(before: ContainerSnapshot | None, after: ContainerSnapshot | None) -> list[str]:
    if before is None:
        return []
    words_after = {row.name: _state_word(row) for row in after.containers} if after else {}
    missing = "gone" if after else "unknown"
    return [
        f"| {_cell(row.name)} | {_cell(row.image)} | {row.restart_policy} | {_state_word(row)} "
        f"| {words_after.get(row.name, missing)} |"
        for row in before.containers
    ]


def _state_word(row: ContainerRow) -> str:
    return "running" if row.running else "stopped"


def _details(run: RunState) -> list[str]:
    """Return diffs and errors. A package manager's output stays in the thread."""
    details = [detail for _, detail in run.details if not detail.title.startswith("apt on ")]
    return [line for detail in details for line in _detail(detail)]


def _detail(detail: ThreadDetail) -> tuple[str, ...]:
    text = strip_control(detail.text).replace(CODE_FENCE, "'''")
    return ("", f"### {strip_control(detail.title)}", "", CODE_FENCE, text, CODE_FENCE)


def _remaining(fleet: FleetState) -> list[str]:
    lines = [f"- {host.plan.host}: {STATUS_TEXT[host.status]}" for host in fleet.hosts if host.status != "done"]
    for host in fleet.hosts:
        after = _snapshot(host.run, "after") if host.run else None
        not_running = [row.name for row in after.containers if not row.running] if after else []
        lines += [f"- {host.plan.host}: not running: {', '.join(not_running)}"] if not_running else []
    lines.append("- Every host keeps the original files next to the changed ones, named .imker-TIME.")
    return lines


def _snapshot(run: RunState, phase: str) -> ContainerSnapshot | None:
    """Return the first snapshot before the migration, or the last one after it: a run can be continued."""
    snapshots = [snapshot for snapshot in run.container_snapshots if snapshot.phase == phase]
    return (snapshots[0] if phase == "before" else snapshots[-1]) if snapshots else None


def _cell(text: str) -> str:
    return strip_control(text).replace("|", "/").replace("\n", " ")


def _time(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at))
