"""A fleet's migration as its one message shows it: the plan before the start, then a row a host. Pure."""

from bot import blocks as one_run
from bot import fleet, tables, wording
from bot.blocks import asked, asks, closing, ending, finding_line, findings, question, typed, whole
from bot.escape import cut, mrkdwn
from bot.fleet import FleetView, LegView, conclusion
from bot.kit import PART, Block, Message, context, duration, section
from bot.progress import RunView, last_step
from bot.tables import Table
from bot.wording import decision_line, outcome_mark, outcome_words

MARKS = {"planning": "🔎", "asking": "✋", "going": "🐝", "paused": "⏸️", "pending": "✋", "over": "✅"}
STATES = {
    "ahead": "not yet", "going": "going on", "asking": "has a question", "pending": "waits to be accepted",
    "done": "in the swarm", "failed": "failed", "cancelled": "cancelled",
}  # fmt: skip
SAYS = {
    "planning": "planning", "asking": "planned: start?", "going": "going on", "paused": "paused",
    "pending": "all moved; managers wait to be accepted", "over": "done",
}  # fmt: skip


def shown(view: RunView, whole: FleetView | None) -> Message:
    """A run's one message. `whole`: the fleet, if the run is a fleet's."""
    return render(whole) if whole else one_run.render(view)


def render(view: FleetView) -> Message:
    head, end = _headline(view), conclusion(view)
    table = _running(view) if view.start else _planned(view)
    blocks: list[Block] = [section(head), context(asked(view.view))]
    blocks += [tables.block(table)] if table.rows else []
    more = tables.left_out(table)
    blocks += [context(f"and {more} more hosts, all of them in the report at the end")] if more else []
    blocks += _legs_findings(view) if view.start is None else []
    blocks += findings(view.planned.findings) + question(view.view)
    said = [*map(decision_line, view.view.decisions), *_hold(view)]
    blocks += [context(line) for line in said]
    words = ending(end) if end and view.start else closing(view.view)
    blocks += [section(words)] if words else []
    lines = (head, "```" + mrkdwn(tables.text(table)) + "```")
    return Message(whole(lines, (asks(view.view), typed(view.view), *said, words)), tuple(blocks))


def _headline(view: FleetView) -> str:
    mark, says = brief(view)
    return f"{mark} *Migrate the whole fleet*  {says}"


def brief(view: FleetView) -> tuple[str, str]:
    """Its mark, and its state in a few words."""
    end, now = conclusion(view), fleet.state(view)
    mark, says = MARKS[now], SAYS[now]
    if view.start is None and now == "over":
        mark, says = wording.mark(view.view), wording.short(view.view)
    elif end:
        mark, says = outcome_mark(end), outcome_words(end)
    elif now == "asking" and view.start:
        says = "a host has a question"
    return mark, f"{says}, {len(view.of('done', 'pending'))} of {len(view.legs)} hosts"


def _planned(view: FleetView) -> Table:
    rows: list[tuple[str, ...]] = [
        (
            str(number), leg.leg.host, leg.leg.role, str(leg.leg.steps), _alarm(leg), leg.leg.survives,
        )
        for number, leg in enumerate(view.legs, 1)
    ]  # fmt: skip
    rows += [("", host, "", "0", "nothing to do", "") for host in view.planned.done]
    return Table(("", "HOST", "ROLE", "STEPS", "FINDINGS", "THE SWARM THEN"), tuple(rows))


def _alarm(leg: LegView) -> str:
    levels = [finding.level for finding in leg.leg.findings]
    counted = [f"{levels.count(level)} {level}" for level in ("block", "warn") if level in levels]
    return ", ".join(counted) or "none"


def _running(view: FleetView) -> Table:
    return Table(("HOST", "ROLE", "STATE", "NOW", "TOOK", "RUN"), tuple(map(_row, view.legs)))


def _row(leg: LegView) -> tuple[str, ...]:
    if leg.view is None:
        return (leg.leg.host, leg.leg.role, STATES["ahead"], "", "", "")
    run = leg.view
    step = last_step(run)
    now = step.title if step and leg.state in ("going", "failed", "cancelled") else ""
    took = duration(run.finished_at - run.record.asked_at) if run.finished_at else ""
    return (leg.leg.host, leg.leg.role, STATES[leg.state], now, took, run.record.run)


def _legs_findings(view: FleetView) -> list[Block]:
    lines = [f"*{mrkdwn(leg.leg.host)}* {finding_line(found)}" for leg in view.legs for found in leg.leg.findings]
    return [section(cut("\n".join(lines), PART))] if lines else []


def _hold(view: FleetView) -> list[str]:
    words = {"pause": "Paused", "resume": "Resumed", "cancel": "Cancelled"}
    if view.hold is None:
        return []
    by = f" by <@{mrkdwn(view.hold.by)}>" if view.hold.by else ""
    return [f"{words[view.hold.what]}{by}" + (f": {mrkdwn(view.hold.why)}" if view.hold.why else "")]
