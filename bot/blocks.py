"""A run's view as its one message shows it. Pure."""

from collections.abc import Sequence

from bot import acceptance, tables, wording
from bot.escape import code, cut, mrkdwn, plain
from bot.kit import LINE, PART, SECTION, TEXT, Block, Message, button, clock, context, duration, rich, section, size
from bot.progress import RunView, StepView, decided
from jobs.contract import Detail, Ended, Finding, NodeTable, PlanHost, Waiting

FINDINGS, STEPS = 10, 25  # rows we show before "and N more"
TASK, DIFF = 100, 2500  # characters: a task's title, a diff
NOTES = (300, 120, 40, 0)  # characters of a step's note: the most that keep the whole message in bounds
TOTAL = 12_000  # characters
TASKS = {"pending": "pending", "running": "in_progress", "done": "complete", "failed": "error"}
BUTTONS = {  # by question: each button's label, verdict and style
    "accept": (("Accept", "accept", "primary"), ("Reject", "reject", "danger")),
    "continue": (("Continue", "continue", "primary"), ("Cancel", "cancel", "")),
    "start": (("Start", "start", "primary"), ("Cancel", "cancel", "")),
    "resume": (("Resume", "continue", "primary"), ("Cancel", "cancel", "danger")),
    "containers": (("Try again", "continue", "primary"), ("Leave them", "cancel", "")),
    "stop": (("Stop it", "continue", "danger"), ("Leave it", "cancel", "")),
    "store": (("Remove it", "continue", "danger"), ("Keep it", "cancel", "")),
}

BY_BUTTON = "by the button in the run's own message"  # a fleet's plan is started by who sees it


def render(view: RunView) -> Message:
    """The run's one message, with as much of the steps' notes as Slack takes."""
    messages = (_message(view, note) for note in NOTES)
    last = _message(view, NOTES[-1])
    return next((message for message in messages if size(list(message.blocks)) <= TOTAL), last)


def _message(view: RunView, note: int) -> Message:
    blocks = [section(wording.headline(view)), context(asked(view))]
    blocks += (
        _plan(view, note)
        + findings(view.findings, isinstance(view.record.command, PlanHost))
        + _diff(view)
        + _table(view)
        + question(view)
    )
    blocks += [context(wording.decision_line(decision)) for decision in view.decisions]
    last = _last_words(view)
    blocks += [section(line) for line in last]
    return Message(_text(view, last), tuple(blocks))


def _last_words(view: RunView) -> list[str]:
    """What is said aloud, what could not be read, and how it ended."""
    words = [line for _, line in acceptance.alarms(view.record)]
    words += [wording.foreign(view)] if view.foreign is not None else []
    words += [wording.unsealed()] if view.unsealed else []
    return [word for word in (*words, closing(view)) if word]


def forgotten(view: RunView) -> Message:
    """Instead of the message of a run that Redis has lost."""
    lead, says = f"❓ *{mrkdwn(wording.title(view))}*  forgotten", wording.forgotten(view)
    return Message(f"{lead}\n{says}", (section(lead), context(asked(view)), section(says)))


def detail(shown: Detail) -> Message:
    """A reply in the run's thread; of what is too long, the end is kept."""
    body = code(plain(shown.text)[-TEXT:])[-SECTION + 10 :]
    title = mrkdwn(shown.title)
    return Message(f"{title}\n{cut(body, TEXT)}", (section(f"*{title}*"), section(f"```{body or ' '}```")))


# --- the parts of a run's message -----------------------------------------------------------------------------------


def asked(view: RunView) -> str:
    """Only what is over has a duration: one that grows would be an edit every second."""
    took = f"{duration(view.finished_at - view.record.asked_at)}  ·  " if view.finished_at else ""
    part = f" of `{view.record.part_of}`" if view.record.part_of else ""
    return f"<@{view.record.asker}> asked at {clock(view.record.asked_at)}  ·  {took}run `{view.record.run}`{part}"


def _plan(view: RunView, note: int) -> list[Block]:
    if not view.steps:
        return []
    shown, more = view.steps[:STEPS], len(view.steps) - STEPS
    title = f"{sum(step.state == 'done' for step in view.steps)} of {len(view.steps)} steps"
    title += f", and {more} more" if more > 0 else ""
    tasks = [_task(index, step, note) for index, step in enumerate(shown)]
    # A constant block_id keeps the plan open in people's clients when the message is edited.
    return [{"type": "plan", "block_id": "plan", "title": title, "tasks": tasks}]


def _task(index: int, step: StepView, note: int) -> Block:
    task: Block = {
        "type": "task_card",
        "task_id": f"{step.job}-{index}",
        "title": cut(plain(step.title), TASK) or "a step",
        "status": TASKS[step.state],
    }
    texts = {"details": cut(plain(step.detail), note), "output": cut(plain(_outcome(step)), note)}
    return {**task, **{name: rich(text) for name, text in texts.items() if text}}


def _outcome(step: StepView) -> str:
    """What a step says of itself, and how long it took."""
    took = f"  ({duration(step.ended - step.started)})" if step.ended and step.started else ""
    return step.note + took if step.note or took else ""


def findings(found: Sequence[Finding], whole: bool = True) -> list[Block]:
    """What warns and blocks, and what passed and is to be known, each with what to do; the rest in one line.

    `whole`: with the names of all that passed, as one reads them in a plan; while a host is moved they are in the way.
    """
    weighty = [finding for finding in found if finding.level != "pass"]
    lines = [finding_line(finding) for finding in weighty[:FINDINGS]]
    if len(weighty) > FINDINGS:
        lines.append(f"and {len(weighty) - FINDINGS} more")
    notes = [finding for finding in found if finding.level == "pass" and finding.hint]
    lines += [finding_line(finding) for finding in notes[:FINDINGS]]
    passed = [finding.check for finding in found if finding.level == "pass"]
    if passed:
        names = f": {mrkdwn(', '.join(dict.fromkeys(passed)))}" if whole else ""
        lines.append(f"✔️ {len(passed)} checks passed{names}")
    return [section(cut("\n".join(lines), PART))] if lines else []


def finding_line(finding: Finding) -> str:
    mark = {"pass": "ℹ️", "warn": "⚠️", "block": "⛔"}[finding.level]
    stop = "" if not finding.hint or finding.text.endswith((".", "?", "!")) else "."
    return f"{mark} *{mrkdwn(finding.check)}*: {mrkdwn(finding.text)}{stop} {mrkdwn(finding.hint)}".rstrip()


def _diff(view: RunView) -> list[Block]:
    """In the message of a plan only; a migration's goes into its thread."""
    if not view.diff or not isinstance(view.record.command, PlanHost):
        return []
    return [section("```" + code(cut(plain(view.diff), DIFF)) + "```")]


def _table(view: RunView) -> list[Block]:
    if view.table is None:
        return []
    table = tables.of(view.table)
    blocks = [tables.block(table)] if table.rows else []
    more = tables.left_out(table)
    lines = [f"and {more} more"] if more else []
    if isinstance(view.table, NodeTable):
        lines.append(f"{_source(view.table, view.now)} at {clock(view.table.taken_at)}")
    return [*blocks, *([context("  ·  ".join(lines))] if lines else [])]


def _source(table: NodeTable, now: float) -> str:
    """Who was asked; of a table that is not of now, its age, why, and who told it then."""
    asked = cut(mrkdwn(table.asked), LINE)
    if not table.stale:
        return f"asked {asked}"
    return f"⚠️ {duration(now - table.taken_at)} old ({cut(mrkdwn(table.stale), LINE)}): told by {asked}"


def question(view: RunView) -> list[Block]:
    """The open question's words and buttons; a decided one has none."""
    if view.state != "waiting" or view.waiting is None or decided(view):
        return []
    value, text = f"{view.record.run}:{view.record.jobs}", asks(view)
    said = [section(text)] if text else []
    if view.expired:
        return said
    labels = BUTTONS[view.waiting.question]
    buttons = [button(label, f"run.{verdict}", value, style) for label, verdict, style in labels]
    return [*said, {"type": "actions", "block_id": "question", "elements": buttons}]


def asks(view: RunView) -> str:
    """The open question's words."""
    waiting = view.waiting
    if view.state != "waiting" or waiting is None or decided(view):
        return ""
    return cut(acceptance.card(view, waiting) if waiting.question == "accept" else _stands(waiting), PART)


def _stands(waiting: Waiting) -> str:
    return (f"Paused by <@{mrkdwn(waiting.by)}>. " if waiting.by else "") + mrkdwn(waiting.summary)


def typed(view: RunView) -> str:
    """The open question's answers as they are typed: for those who see no buttons, and where buttons are dead."""
    if view.state != "waiting" or view.waiting is None or decided(view):
        return ""
    run = view.record.run
    if view.expired:
        return f"Nobody accepted it in time; it stays a worker. `/swarm accept {run}` asks anew."
    ways = ((label, verdict) for label, verdict, _ in BUTTONS[view.waiting.question])
    return "  ·  ".join(
        f"{label}: {BY_BUTTON if verdict == 'start' else f'`/swarm {verdict} {run}`'}" for label, verdict in ways
    )


def closing(view: RunView) -> str:
    """The result, or: what failed, in what state it was left, what to type next."""
    if view.state == "lost":
        return wording.lost(view)
    return ending(wording.conclusion(view)) if view.state == "over" else ""


def ending(ended: Ended) -> str:
    by = (
        f" by <@{mrkdwn(ended.by)}>" if ended.by else ""
    )  # an ID that Imker tells lives, one in a host's words does not
    parts = (mrkdwn(ended.summary) + by, mrkdwn(ended.state), mrkdwn(ended.hint))
    return cut("\n".join(part for part in parts if part), PART)


def _text(view: RunView, last: Sequence[str]) -> str:
    """All that the blocks show. What is too long loses lines of its middle: neither its question nor its end."""
    lines = [f"{wording.mark(view)} {mrkdwn(wording.title(view))}: {mrkdwn(wording.short(view))}"]
    lines += [f"{TASKS[step.state]}: {mrkdwn(step.title)}" for step in view.steps[:STEPS]]
    if view.table is not None:
        lines.append("```" + mrkdwn(tables.text(tables.of(view.table))) + "```")
    if isinstance(view.table, NodeTable):
        lines.append(_source(view.table, view.now))
    lines += [finding_line(finding) for finding in view.findings if finding.level != "pass"][:FINDINGS]
    return whole(lines, [asks(view), typed(view), *map(wording.decision_line, view.decisions), *last])


def whole(lines: Sequence[str], last: Sequence[str]) -> str:
    """A message's text that has room for its last words."""
    end = cut("\n".join(line for line in last if line), TEXT)
    return "\n".join(part for part in (cut("\n".join(lines), max(0, TEXT - len(end) - 1)), end) if part)
