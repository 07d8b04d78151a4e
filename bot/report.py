"""What a fleet's migration did, as a text to keep: who asked and accepted, what changed, what is left. Pure."""

import time

from bot.escape import plain
from bot.fleet import FleetView, LegView, conclusion
from bot.kit import duration
from bot.progress import RunView, StepView
from jobs.contract import Census, ContainerRow, Detail

FENCE = "```"


def report(view: FleetView) -> str:
    """Markdown; readable as it is."""
    record, end = view.view.record, conclusion(view)
    lines = [
        f"# Migration of the fleet, run {record.run}",
        "",
        f"- asked by {record.asker} at {_at(record.asked_at)}: /swarm {plain(record.text)}",
        *(f"- {decision.verdict} by {decision.by} at {_at(decision.at)}" for decision in view.view.decisions),
        f"- result: {end.outcome if end else 'not over'}: {plain(end.summary) if end else ''}",
        *([f"- {plain(end.state)}"] if end and end.state else []),
        *(f"- nothing to do on {host}" for host in view.planned.done),
    ]
    for leg in view.legs:
        lines += ["", *_leg(leg)]
    return "\n".join([*lines, "", "## Left over", "", *_left_over(view), ""])


def _leg(leg: LegView) -> list[str]:
    head = [f"## {leg.leg.host}, {leg.leg.role}", ""]
    if leg.view is None:
        return [*head, "Not begun."]
    run, before, after = leg.view, _census(leg.view, "before"), _census(leg.view, "after")
    took = f" in {duration(run.finished_at - run.record.asked_at)}" if run.finished_at else ""
    lines = [*head, f"- run {run.record.run}: {leg.state}{took}"]
    lines += [f"- Engine {before.engine or 'down'} before, {after.engine} after"] if before and after else []
    lines += [f"- {decision.verdict} by {decision.by} at {_at(decision.at)}" for decision in run.decisions]
    lines += ["", "| step | state | took | |", "| --- | --- | --- | --- |", *map(_step, run.steps)]
    lines += (
        ["", "| container | image | policy | before | after |", "| --- | --- | --- | --- | --- |"] if before else []
    )
    lines += _containers(before, after)
    return [*lines, *_details(run)]


def _step(step: StepView) -> str:
    took = duration(step.ended - step.started) if step.ended and step.started else ""
    return f"| {_cell(step.title)} | {step.state} | {took} | {_cell(step.note)} |"


def _containers(before: Census | None, after: Census | None) -> list[str]:
    if before is None:
        return []
    later = {row.name: _ran(row) for row in after.containers} if after else {}
    unseen = "gone" if after else "not known"
    return [
        f"| {_cell(row.name)} | {_cell(row.image)} | {row.restart} | {_ran(row)} | {later.get(row.name, unseen)} |"
        for row in before.containers
    ]


def _ran(row: ContainerRow) -> str:
    return "runs" if row.running else "stopped"


def _details(run: RunView) -> list[str]:
    """Diffs, and what failed; a package manager's words stay in the thread."""
    shown = [detail for _, detail in run.details if not detail.title.startswith("apt on ")]
    return [line for detail in shown for line in _detail(detail)]


def _detail(detail: Detail) -> tuple[str, ...]:
    return ("", f"### {plain(detail.title)}", "", FENCE, plain(detail.text).replace(FENCE, "'''"), FENCE)


def _left_over(view: FleetView) -> list[str]:
    lines = [f"- {leg.leg.host}: {leg.state}" for leg in view.legs if leg.state != "done"]
    for leg in view.legs:
        after = _census(leg.view, "after") if leg.view else None
        stopped = [row.name for row in after.containers if not row.running] if after else []
        lines += [f"- {leg.leg.host}: does not run: {', '.join(stopped)}"] if stopped else []
    lines.append("- The old files stand beside the new ones on every host, named .imker-TIME.")
    return lines


def _census(view: RunView, when: str) -> Census | None:
    """Before: the first there is, for a run that was taken up again; after: the last."""
    found = [census for census in view.censuses if census.when == when]
    return (found[0] if when == "before" else found[-1]) if found else None


def _cell(text: str) -> str:
    return plain(text).replace("|", "/").replace("\n", " ")


def _at(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at))
