"""What a fleet's migration did, as a text to keep: who asked and accepted, what changed, what is left. Pure."""

import time

from bot.messages.block_kit import duration
from bot.state.fleet_state import FleetState, HostState, outcome
from bot.state.run_state import RunState, StepState
from imker.protocol.events import ContainerSnapshot, ThreadDetail
from imker.protocol.values import ContainerRow
from imker.text import strip_control

CODE_FENCE = "```"


def render_report(view: FleetState) -> str:
    """Markdown; readable as it is."""
    record, end = view.run.record, outcome(view)
    lines = [
        f"# Migration of the fleet, run {record.run}",
        "",
        f"- asked by {record.requester} at {_time(record.requested_at)}: /swarm {strip_control(record.command_text)}",
        *(f"- {decision.choice} by {decision.user} at {_time(decision.decided_at)}" for decision in view.run.decisions),
        f"- result: {end.outcome if end else 'not over'}: {strip_control(end.summary) if end else ''}",
        *([f"- {strip_control(end.state)}"] if end and end.state else []),
        *(f"- nothing to do on {host}" for host in view.plan.done_hosts),
    ]
    for leg in view.hosts:
        lines += ["", *_host_section(leg)]
    return "\n".join([*lines, "", "## Left over", "", *_remaining(view), ""])


def _host_section(leg: HostState) -> list[str]:
    head = [f"## {leg.plan.host}, {leg.plan.role}", ""]
    if leg.run is None:
        return [*head, "Not begun."]
    run, before, after = leg.run, _snapshot(leg.run, "before"), _snapshot(leg.run, "after")
    took = f" in {duration(run.finished_at - run.record.requested_at)}" if run.finished_at else ""
    lines = [*head, f"- run {run.record.run}: {leg.status}{took}"]
    lines += [f"- Engine {before.engine or 'down'} before, {after.engine} after"] if before and after else []
    lines += [f"- {decision.choice} by {decision.user} at {_time(decision.decided_at)}" for decision in run.decisions]
    lines += ["", "| step | state | took | |", "| --- | --- | --- | --- |", *map(_step, run.steps)]
    lines += (
        ["", "| container | image | policy | before | after |", "| --- | --- | --- | --- | --- |"] if before else []
    )
    lines += _containers(before, after)
    return [*lines, *_details(run)]


def _step(step: StepState) -> str:
    took = duration(step.ended_at - step.started_at) if step.ended_at and step.started_at else ""
    return f"| {_cell(step.title)} | {step.status} | {took} | {_cell(step.note)} |"


def _containers(before: ContainerSnapshot | None, after: ContainerSnapshot | None) -> list[str]:
    if before is None:
        return []
    later = {row.name: _state_word(row) for row in after.containers} if after else {}
    unseen = "gone" if after else "not known"
    return [
        f"| {_cell(row.name)} | {_cell(row.image)} | {row.restart_policy} | {_state_word(row)} | {later.get(row.name, unseen)} |"
        for row in before.containers
    ]


def _state_word(row: ContainerRow) -> str:
    return "runs" if row.running else "stopped"


def _details(run: RunState) -> list[str]:
    """Diffs, and what failed; a package manager's words stay in the thread."""
    details = [detail for _, detail in run.details if not detail.title.startswith("apt on ")]
    return [line for detail in details for line in _detail(detail)]


def _detail(detail: ThreadDetail) -> tuple[str, ...]:
    return (
        "",
        f"### {strip_control(detail.title)}",
        "",
        CODE_FENCE,
        strip_control(detail.text).replace(CODE_FENCE, "'''"),
        CODE_FENCE,
    )


def _remaining(view: FleetState) -> list[str]:
    lines = [f"- {leg.plan.host}: {leg.status}" for leg in view.hosts if leg.status != "done"]
    for leg in view.hosts:
        after = _snapshot(leg.run, "after") if leg.run else None
        not_running = [row.name for row in after.containers if not row.running] if after else []
        lines += [f"- {leg.plan.host}: does not run: {', '.join(not_running)}"] if not_running else []
    lines.append("- The old files stand beside the new ones on every host, named .imker-TIME.")
    return lines


def _snapshot(view: RunState, when: str) -> ContainerSnapshot | None:
    """Before: the first there is, for a run that was taken up again; after: the last."""
    matches = [census for census in view.container_snapshots if census.phase == when]
    return (matches[0] if when == "before" else matches[-1]) if matches else None


def _cell(text: str) -> str:
    return strip_control(text).replace("|", "/").replace("\n", " ")


def _time(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at))
