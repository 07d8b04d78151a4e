"""A run's view, and the bot's private answers, as Slack shows them. Pure: the only place that knows Block Kit."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bot import tables
from bot.escape import cut, mrkdwn, plain
from bot.grammar import VERBS, Misuse, Right
from bot.policy import Denied
from bot.progress import RunView, StepView, decided, last_step
from bot.record import Decision
from bot.tables import Block
from jobs.contract import Accept, Detail, Finding, Migrate, NodeTable, PlanHost, Quorum, Reject, Waiting

SECTION, PART, LINE = 2900, 1500, 300  # characters: of a section (3,000), of one part of a run's message, of a line
FINDINGS, STEPS = 10, 25  # rows we show before "and N more"
TASK, TEXT, DIFF = 100, 3500, 2500  # characters: a task's title, a message's text, a diff
NOTES, TOTAL = (
    (300, 120, 40, 0),
    12_000,
)  # characters of a step's note, the longest that keep the whole message in bounds
MARKS = {"queued": "⏳", "running": "🐝", "waiting": "✋", "lost": "❓", "done": "✅", "nothing": "✅", "refused": "🚫"}
TASKS = {"pending": "pending", "running": "in_progress", "done": "complete", "failed": "error"}
DECISIONS = {
    "accept": "Accepted",
    "reject": "Rejected: it stays a worker, says",
    "remove": "Rejected: it is taken out, says",
    "continue": "Continued",
    "cancel": "Cancelled",
}


@dataclass(frozen=True)
class Message:
    """`text` says all that `blocks` show, for notifications, screen readers and old clients."""

    text: str
    blocks: tuple[Block, ...]


def render(view: RunView) -> Message:
    """The run's one message, with as much of the steps' notes as Slack takes."""
    messages = (_message(view, note) for note in NOTES)
    last = _message(view, NOTES[-1])
    return next((message for message in messages if _size(list(message.blocks)) <= TOTAL), last)


def _message(view: RunView, note: int) -> Message:
    blocks = [_section(_headline(view)), _context(_asked(view))]
    blocks += _plan(view, note) + _findings(view.findings) + _diff(view) + _table(view) + _question(view)
    blocks += [_context(_decision(decision)) for decision in view.decisions]
    closing = _closing(view)
    if closing:
        blocks.append(_section(closing))
    return Message(_text(view, closing), tuple(blocks))


def detail(shown: Detail) -> Message:
    """A reply in the run's thread; of what is too long, the end is kept."""
    tail = plain(shown.text)[-TEXT:].replace("```", "'''")
    body = tail.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")[-SECTION + 10 :]
    title = mrkdwn(shown.title)
    return Message(f"{title}\n{cut(body, TEXT)}", (_section(f"*{title}*"), _section(f"```{body or ' '}```")))


def misuse(wrong: Misuse) -> Message:
    return _private(f"{mrkdwn(wrong.text)}\n{mrkdwn(wrong.usage)}")


def denied(answer: Denied) -> Message:
    who = ", ".join(f"<!subteam^{i}>" if i.startswith("S") else f"<@{i}>" for i in answer.who if i != "*")
    return _private(f"Not done: {answer.reason}." + (f" Who has it: {who}." if who else ""))


def note(text: str) -> Message:
    return _private(text)


def help_for(rights: Iterable[Right]) -> Message:
    """Only what the asker may do."""
    mine = set(rights)
    lines = [f"`{verb.usage}`  {verb.does}" for verb in VERBS if verb.right in mine]
    return _private("*What you may do here*\n" + "\n".join(lines) + "\nFor example: `/swarm plan kaditz`")


def status_list(views: Sequence[RunView]) -> Message:
    """Runs, those going on and waiting first; newest first within."""
    order = {"running": 0, "queued": 0, "waiting": 1, "lost": 2, "over": 3}
    rows = sorted(views, key=lambda view: (order[view.state], -view.record.asked_at))
    lines = [
        f"{_mark(view)} `{view.record.run}`  {mrkdwn(view.record.text)}  <@{view.record.asker}>, {_ago(view)}"
        f"  {mrkdwn(_short(view))}"
        for view in rows
    ]
    return _private(cut("\n".join(lines), SECTION) if lines else "No runs yet. `/swarm help` shows what there is.")


# --- the parts of a run's message -----------------------------------------------------------------------------------


def _headline(view: RunView) -> str:
    return f"{_mark(view)} *{mrkdwn(_title(view))}*  {cut(mrkdwn(_short(view)), LINE)}"


def _title(view: RunView) -> str:
    match view.record.command:
        case Migrate(host):
            return f"Migrate {host}"
        case PlanHost(host):
            return f"Plan for {host}"
        case Accept(node):
            return f"Accept {node}"
        case Reject(node):
            return f"Reject {node}"
        case other:
            return other.type.capitalize()


def _mark(view: RunView) -> str:
    outcome = view.ended.outcome if view.state == "over" and view.ended else view.state
    return MARKS.get(outcome, "❌" if view.ended else "🚫")


def _short(view: RunView) -> str:
    """A run's state in a few words."""
    match view.state:
        case "queued":
            return "queued"
        case "running":
            step = last_step(view)
            return f"{step.title}…" if step and step.state == "running" else "looking at what is true"
        case "waiting":
            asked = view.waiting and view.waiting.question == "accept"
            return "waits to be accepted as a manager" if asked else "has warnings: continue?"
        case "lost":
            return "lost"
        case "over":
            return view.ended.outcome.replace("nothing", "nothing to do") if view.ended else "cancelled"


def _asked(view: RunView) -> str:
    """Only what is over has a duration: one that grows would be an edit every second."""
    took = f"{_duration(view.finished_at - view.record.asked_at)}  ·  " if view.finished_at else ""
    return f"<@{view.record.asker}> asked at {_clock(view.record.asked_at)}  ·  {took}run `{view.record.run}`"


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
    return {**task, **{name: _rich(text) for name, text in texts.items() if text}}


def _outcome(step: StepView) -> str:
    """What a step says of itself, and how long it took."""
    took = f"  ({_duration(step.ended - step.started)})" if step.ended and step.started else ""
    return step.note + took if step.note or took else ""


def _findings(findings: tuple[Finding, ...]) -> list[Block]:
    marks = {"pass": "ℹ️", "warn": "⚠️", "block": "⛔"}
    lines = [
        f"{marks[finding.level]} *{mrkdwn(finding.check)}*: {mrkdwn(finding.text)} {mrkdwn(finding.hint)}".rstrip()
        for finding in findings[:FINDINGS]
    ]
    if len(findings) > FINDINGS:
        lines.append(f"and {len(findings) - FINDINGS} more")
    return [_section(cut("\n".join(lines), PART))] if lines else []


def _diff(view: RunView) -> list[Block]:
    """In the message of a plan only; a migration's goes into its thread."""
    if not view.diff or not isinstance(view.record.command, PlanHost):
        return []
    body = cut(plain(view.diff), DIFF).replace("```", "'''")
    return [_section("```" + body.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") + "```")]


def _table(view: RunView) -> list[Block]:
    if view.table is None:
        return []
    table = tables.of(view.table)
    blocks = [tables.block(table)] if table.rows else []
    more = tables.left_out(table)
    lines = [f"and {more} more"] if more else []
    if isinstance(view.table, NodeTable):
        lines.append(_source(view.table, view.now))
    return [*blocks, *([_context("  ·  ".join(lines))] if lines else [])]


def _source(table: NodeTable, now: float) -> str:
    if not table.stale:
        return f"asked {cut(mrkdwn(table.asked), LINE)} at {_clock(table.taken_at)}"
    age = _duration(now - table.taken_at)
    why = cut(f"{mrkdwn(table.asked)}: {mrkdwn(table.stale)}", LINE)
    return f"⚠️ from {_clock(table.taken_at)}, {age} ago, by {why}"


def _question(view: RunView) -> list[Block]:
    if view.state != "waiting" or view.waiting is None or decided(view):
        return []
    value = f"{view.record.run}:{view.record.jobs}"
    if view.waiting.question == "accept":
        buttons = [_button("Accept", "run.accept", value, "primary"), _button("Reject", "run.reject", value, "danger")]
        return [
            _section(cut(_candidate(view.waiting), PART)),
            {"type": "actions", "block_id": "question", "elements": buttons},
        ]
    buttons = [_button("Continue", "run.continue", value, "primary"), _button("Cancel", "run.cancel", value, "")]
    return [{"type": "actions", "block_id": "question", "elements": buttons}]


def _candidate(waiting: Waiting) -> str:
    """What a manager observed stands apart from what the host merely claims."""
    if waiting.candidate is None or waiting.quorum is None:
        return "It waits for a decision."
    who = waiting.candidate
    return (
        f"*{mrkdwn(who.host)} waits to be accepted as a manager.*\n"
        f"A manager sees node `{mrkdwn(who.node)}` at {mrkdwn(who.observed_address)}. "
        f"It calls itself {mrkdwn(who.claimed_hostname)}, with Engine {mrkdwn(who.claimed_engine)}.\n"
        f"{_survives(waiting.quorum)}\nOr type `/swarm accept {mrkdwn(who.node[:12])}`"
    )


def _survives(quorum: Quorum) -> str:
    def count(managers: int, fail: int) -> str:
        return f"{managers} manager{'s' * (managers != 1)}: {fail or 'none'} may fail"

    line = (
        f"Now {count(quorum.managers, quorum.tolerates)}; then {count(quorum.managers_after, quorum.tolerates_after)}"
    )
    return line + (" (an even number is no safer than one less)" if quorum.managers_after % 2 == 0 else "")


def _decision(decision: Decision) -> str:
    return f"{DECISIONS[decision.verdict]} by <@{decision.by}> at {_clock(decision.at)}"


def _closing(view: RunView) -> str:
    """The result, or: what failed, in what state it was left, what to type next."""
    if view.state == "lost":
        return _lost(view)
    if view.state != "over" or view.ended is None:
        return ""
    parts = (view.ended.summary, view.ended.state, view.ended.hint)
    return cut("\n".join(mrkdwn(part) for part in parts if part), PART)


def _lost(view: RunView) -> str:
    step = last_step(view)
    where = f"after “{mrkdwn(step.title)}” began" if step else "before its first step"
    again = mrkdwn(f"/swarm {view.record.text}")
    return (
        f"The RQ worker died {where}; what was done stays done, and what ran on the host may have gone on.\n"
        f"`{again}` plans from what is true then, and does only what is left."
    )


def _text(view: RunView, closing: str) -> str:
    lines = [f"{_mark(view)} {mrkdwn(_title(view))}: {mrkdwn(_short(view))}"]
    lines += [f"{TASKS[step.state]}: {mrkdwn(step.title)}" for step in view.steps[:STEPS]]
    if view.table is not None:
        lines.append("```" + mrkdwn(tables.text(tables.of(view.table))) + "```")
    return cut("\n".join([*lines, *([closing] if closing else [])]), TEXT)


# --- Block Kit's small change ---------------------------------------------------------------------------------------


def _private(text: str) -> Message:
    return Message(cut(text, TEXT), (_section(text),))


def _section(text: str) -> Block:
    return {"type": "section", "text": {"type": "mrkdwn", "text": cut(text, SECTION)}}


def _context(text: str) -> Block:
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": cut(text, SECTION)}]}


def _rich(text: str) -> Block:
    content = {"type": "text", "text": text}
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [content]}]}


def _size(shown: object) -> int:
    """Characters that people see: what Slack counts against the whole message."""
    if isinstance(shown, list):
        return sum(map(_size, shown))
    if not isinstance(shown, dict):
        return 0
    own = (value for key, value in shown.items() if key in ("text", "title") and isinstance(value, str))
    return sum(map(len, own)) + sum(map(_size, shown.values()))


def _button(label: str, action: str, value: str, style: str) -> Block:
    button: Block = {
        "type": "button",
        "action_id": action,
        "value": value,
        "text": {"type": "plain_text", "text": label},
    }
    return {**button, "style": style} if style else button


def _clock(at: float) -> str:
    """In the reader's own time zone; UTC for those who do not see it."""
    fallback = time.strftime("%H:%M:%S UTC", time.gmtime(at))
    return f"<!date^{int(at)}^{{time_secs}}|{fallback}>"


def _duration(seconds: float) -> str:
    whole = max(0, round(seconds))
    return f"{whole // 60} min {whole % 60} s" if whole >= 60 else f"{whole} s"


def _ago(view: RunView) -> str:
    return f"{_duration(view.now - view.record.asked_at)} ago"
