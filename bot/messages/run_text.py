"""A run in words: its title, its mark, its state in short, who decided. Pure."""

from bot.messages.block_kit import LINE_LIMIT, timestamp
from bot.messages.escape import escape_mrkdwn
from bot.records import Decision
from bot.state.run_state import RunState, latest_started_step
from imker.protocol.commands import Accept, Migrate, MigrateAll, PlanHost, Reject, RetireStore, StartContainers
from imker.protocol.events import JobFinished, NodeTable
from imker.protocol.version import PROTOCOL_VERSION
from imker.text import truncate

EMOJI = {
    "queued": "⏳",
    "running": "🐝",
    "waiting": "✋",
    "lost": "❓",
    "done": "✅",
    "unchanged": "✅",
    "refused": "🚫",
    "cancelled": "🚫",
}
OUTCOME_LABELS = {"unchanged": "nothing to do", "rolled_back": "rolled back"}
WAITING_TEXT = {
    "accept": "waits to be accepted as a manager",
    "continue": "has warnings: continue?",
    "start_fleet": "planned: start?",
    "resume": "paused",
    "start_containers": "done, but not all containers run",
    "stop_store": "done; stop the key-value store?",
    "remove_store": "done; remove the key-value store?",
}
DECLINED_TEXT = {
    "start_containers": "done; some containers do not run",
    "stop_store": "done; the key-value store runs on",
    "remove_store": "done; the key-value store is kept, stopped",
}
DECISION_TEXT = {
    "start": "Started",
    "accept": "Accepted",
    "reject": "Rejected: it stays a worker, says",
    "remove": "Rejected: it is taken out, says",
    "continue": "Continued",
    "cancel": "Cancelled",
    "again": "Asked anew",
}


def headline(view: RunState) -> str:
    return f"{emoji(view)} *{escape_mrkdwn(title(view))}*  {truncate(escape_mrkdwn(status_text(view)), LINE_LIMIT)}"


def title(view: RunState) -> str:
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


def emoji(view: RunState) -> str:
    if is_stale(view):
        return "⚠️"
    if view.status == "over" and view.outcome:
        return outcome_emoji(view.outcome)
    return EMOJI.get(view.status, "❌" if view.outcome else "🚫")


def is_stale(view: RunState) -> bool:
    """Whether what it shows is of some time ago, as nobody answers now."""
    return view.status == "over" and isinstance(view.table, NodeTable) and bool(view.table.stale_reason)


def outcome_emoji(outcome: JobFinished) -> str:
    return EMOJI.get(outcome.outcome, "❌")


def outcome_label(outcome: JobFinished) -> str:
    return OUTCOME_LABELS.get(outcome.outcome, outcome.outcome)


def status_text(view: RunState) -> str:
    """A run's state in a few words."""
    match view.status:
        case "queued":
            return "queued"
        case "running":
            step = latest_started_step(view)
            return f"{step.title}…" if step and step.status == "running" else "looking at what is true"
        case "waiting":
            if view.expired:
                return "not accepted in time"
            return WAITING_TEXT[view.question.question] if view.question else "waits"
        case "lost":
            return "lost"
        case "over":
            if is_stale(view):
                return "the last known table"
            if view.outcome:
                return outcome_label(view.outcome)
            return DECLINED_TEXT.get(view.question.question, "cancelled") if view.question else "cancelled"


def decision_line(decision: Decision) -> str:
    by = f" by <@{decision.user}>" if decision.user else ""
    why = f": {escape_mrkdwn(decision.why)}" if decision.why else ""
    return f"{DECISION_TEXT[decision.choice]}{by} at {timestamp(decision.decided_at)}{why}"


def protocol_warning(view: RunState) -> str:
    """Two versions of Imker side by side: what one says, the other does not always understand."""
    return (
        f"⚠️ The RQ workers wrote some events of this run in protocol version {view.other_protocol}; "
        f"the bot and the reconciler use {PROTOCOL_VERSION} and do not show them. Upgrade the older side."
    )


def signature_warning() -> str:
    return (
        "⚠️ Redis holds what the bot's key does not open, as if it were of this run; it is not shown. Either "
        "the RQ workers have another IMKER_SIGNING_KEY, or somebody else writes to Redis: docs/redis.md."
    )
