"""A run in words: its title, its mark, its state in short, who decided. Pure."""

from dataclasses import replace

from bot.escape import cut, mrkdwn
from bot.kit import LINE, clock
from bot.progress import RunView, last_step
from bot.record import Decision
from jobs.contract import (
    CONTRACT,
    Accept,
    Ended,
    Migrate,
    MigrateAll,
    NodeTable,
    PlanHost,
    Reject,
    RetireStore,
    StartContainers,
)

MARKS = {
    "queued": "⏳",
    "running": "🐝",
    "waiting": "✋",
    "lost": "❓",
    "done": "✅",
    "nothing": "✅",
    "refused": "🚫",
    "cancelled": "🚫",
}
WAITS = {
    "accept": "waits to be accepted as a manager",
    "continue": "has warnings: continue?",
    "start": "planned: start?",
    "resume": "paused",
    "containers": "done, but not all containers run",
    "stop": "done; stop the key-value store?",
    "store": "done; remove the key-value store?",
}
LEFT = {
    "containers": "done; some containers do not run",
    "stop": "done; the key-value store runs on",
    "store": "done; the key-value store is kept, stopped",
}
DECISIONS = {
    "start": "Started",
    "accept": "Accepted",
    "reject": "Rejected: it stays a worker, says",
    "remove": "Rejected: it is taken out, says",
    "continue": "Continued",
    "cancel": "Cancelled",
    "again": "Asked anew",
}


def headline(view: RunView) -> str:
    return f"{mark(view)} *{mrkdwn(title(view))}*  {cut(mrkdwn(short(view)), LINE)}"


def title(view: RunView) -> str:
    match view.record.command:
        case Migrate(host):
            return f"Migrate {host}"
        case MigrateAll():
            return "Migrate the whole fleet"
        case StartContainers(host):
            return f"Start containers on {host}"
        case RetireStore(host):
            return f"Retire the key-value store on {host}"
        case PlanHost(host):
            return f"Plan for {host}"
        case Accept(node):
            return f"Accept {node}"
        case Reject(node, remove):
            return f"Reject {node}" + (" and take it out" if remove else "")
        case other:
            return other.type.capitalize()


def mark(view: RunView) -> str:
    if stale(view):
        return "⚠️"
    if view.state == "over" and view.ended:
        return outcome_mark(view.ended)
    return MARKS.get(view.state, "❌" if view.ended else "🚫")


def stale(view: RunView) -> bool:
    """Whether what it shows is of some time ago, as nobody answers now."""
    return view.state == "over" and isinstance(view.table, NodeTable) and bool(view.table.stale)


def outcome_mark(ended: Ended) -> str:
    return MARKS.get(ended.outcome, "❌")


def outcome_words(ended: Ended) -> str:
    return ended.outcome.replace("nothing", "nothing to do")


def short(view: RunView) -> str:
    """A run's state in a few words."""
    match view.state:
        case "queued":
            return "queued"
        case "running":
            step = last_step(view)
            return f"{step.title}…" if step and step.state == "running" else "looking at what is true"
        case "waiting":
            if view.expired:
                return "not accepted in time"
            return WAITS[view.waiting.question] if view.waiting else "waits"
        case "lost":
            return "lost"
        case "over":
            if stale(view):
                return "the last known table"
            if view.ended:
                return outcome_words(view.ended)
            return LEFT.get(view.waiting.question, "cancelled") if view.waiting else "cancelled"


def decision_line(decision: Decision) -> str:
    by = f" by <@{decision.by}>" if decision.by else ""
    why = f": {mrkdwn(decision.why)}" if decision.why else ""
    return f"{DECISIONS[decision.verdict]}{by} at {clock(decision.at)}{why}"


def foreign(view: RunView) -> str:
    """Two versions of Imker side by side: what one says, the other does not always understand."""
    return (
        f"⚠️ Some of what the RQ workers say of this run is of contract {view.foreign}; the bot and the reporter "
        f"speak {CONTRACT}, and do not show it. Upgrade the older side."
    )


def unsealed() -> str:
    return (
        "⚠️ Redis holds what the bot's key does not open, as if it were of this run; it is not shown. Either "
        "the RQ workers have another IMKER_SIGNING_KEY, or somebody else writes to Redis: docs/redis.md."
    )


def conclusion(view: RunView) -> Ended:
    """The last word of a run that is over, and what its job left unsaid: how things were left, what to type next."""
    if view.ended is None:
        return _declined(view)
    if view.ended.outcome in ("done", "nothing"):
        return view.ended
    hint = view.ended.hint if "/swarm" in view.ended.hint else f"{view.ended.hint} {again(view)}".lstrip()
    return replace(view.ended, state=view.ended.state or left(view), hint=hint)


def _declined(view: RunView) -> Ended:
    """Somebody said no to what it asked."""
    waiting = view.waiting
    if waiting and waiting.question == "containers":
        names = " ".join(waiting.names)
        return Ended(
            "done", "", f"On {waiting.host} these do not run: {names}.", f"/swarm start {waiting.host} {names}"
        )
    if waiting and waiting.question == "stop":
        return Ended("done", "", f"It runs on {waiting.host}.", f"/swarm retire {waiting.host} stops it.")
    if waiting and waiting.question == "store":
        return Ended("done", "", f"It is stopped on {waiting.host}.", f"/swarm retire {waiting.host} removes it.")
    return Ended("cancelled", "", left(view), again(view))


def left(view: RunView) -> str:
    """In what state things were left, as far as its steps tell: a job tells each before it begins it."""
    if last_step(view) is None and view.foreign is None and not view.unsealed:
        return "Nothing was changed."
    done = sum(step.state == "done" for step in view.steps)
    return f"{done} of {len(view.steps)} steps were done; what was done stays done."


def again(view: RunView) -> str:
    return f"/swarm retry {view.record.part_of or view.record.run} does only what is left, by a new plan."


def lost(view: RunView) -> str:
    again = f"`{mrkdwn(f'/swarm {view.record.text}')}`"
    if view.foreign is not None or view.unsealed:
        return f"How it ended cannot be read here. What was done stays done.\n{again} does only what is left."
    step = last_step(view)
    if step is None and view.now > view.record.expires:
        return f"Nothing was begun within a day, and nothing is any more.\n{again} asks anew."
    where = f"after “{mrkdwn(step.title)}” began" if step else "before its first step"
    return (
        f"RQ reports that the job failed {where}; what was done stays done, and what ran on the host may have gone on. "
        f"If the job still ends, this message will say how.\n"
        f"{again} plans from what is true then, and does only what is left."
    )


def forgotten(text: str) -> str:
    """`text`: what was asked, escaped."""
    return (
        "Redis has lost its data, and with it this run. What was begun on a host may still go on there; nothing begins "
        f"again by itself.\n`/swarm {text}` plans from what is true then, and does only what is left."
    )
