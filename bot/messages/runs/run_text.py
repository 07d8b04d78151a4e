"""Describe a run in a few words: title, emoji, status, and who decided. Pure."""

from bot.messages.block_kit import timestamp
from bot.messages.escape import escape_mrkdwn
from bot.records import Choice, Decision, command_services
from bot.state.run_state import RunState, latest_started_step
from imker.protocol.commands import (
    Accept,
    ListHosts,
    ListNodes,
    Migrate,
    MigrateAll,
    PlanHost,
    Reject,
    RetireStore,
    RunDoctor,
    StartContainers,
)
from imker.protocol.events import JobFinished, NodeTable
from imker.protocol.node_commands import Activate, Demote, Drain, Promote, Remove, Upgrade, UpgradeAll
from imker.protocol.service_commands import (
    CreateService,
    ListServices,
    RestartService,
    RollBackService,
    ScaleServices,
    ShowService,
)
from imker.protocol.version import PROTOCOL_VERSION

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
OUTCOME_TEXT = {"unchanged": "nothing to do", "refused": "rejected", "rolled_back": "failed, rolled back"}
WAITING_TEXT = {
    "accept": "waiting to be accepted as a manager",
    "continue": "has warnings: continue?",
    "start": "planned: start?",
    "start_fleet": "planned: start?",
    "resume": "paused",
    "start_containers": "done, but some containers are not running",
    "stop_store": "done; stop the key-value store?",
    "remove_store": "done; remove the key-value store?",
}
DECLINED_TEXT = {
    "start_containers": "done, but some containers are not running",
    "stop_store": "done; the key-value store is running",
    "remove_store": "done; the key-value store is stopped and kept",
}
KEPT_TEXT = {"start_containers": "Kept stopped", "stop_store": "Kept running", "remove_store": "Kept"}  # not Cancelled
DECISION_TEXT: dict[Choice, str] = {
    "start": "Started",
    "accept": "Accepted",
    "reject": "Rejected",
    "remove": "Rejected",
    "continue": "Continued",
    "cancel": "Cancelled",
    "again": "Requested again",
}
CONSEQUENCE_TEXT: dict[Choice, str] = {
    "reject": ". The node stays a worker.",
    "remove": ". The node is removed from the swarm.",
}


def title(state: RunState) -> str:
    """Return what the run does, such as "Migrate kaditz", unescaped."""
    return _title_and_activity(state)[0]


def activity(state: RunState) -> str:
    """Return what the run is doing while it runs, such as "Migrating kaditz", unescaped."""
    return _title_and_activity(state)[1]


def _title_and_activity(state: RunState) -> tuple[str, str]:
    match state.record.command:
        case Migrate(host):
            return f"Migrate {host}", f"Migrating {host}"
        case MigrateAll():
            return "Migrate the whole fleet", "Planning the whole fleet"
        case UpgradeAll():
            return "Upgrade the whole swarm", "Planning the upgrade of the whole swarm"
        case Upgrade(host):
            return f"Upgrade {host}", f"Upgrading {host}"
        case StartContainers(host):
            return f"Start containers on {host}", f"Starting containers on {host}"
        case RetireStore(host):
            return f"Retire the key-value store on {host}", f"Retiring the key-value store on {host}"
        case Drain(host):
            return f"Drain {host}", f"Draining {host}"
        case Activate(host):
            return f"Activate {host}", f"Activating {host}"
        case Promote(host):
            return f"Promote {host}", f"Promoting {host}"
        case Demote(host):
            return f"Demote {host}", f"Demoting {host}"
        case Remove(host):
            return f"Remove {host} from the swarm", f"Removing {host} from the swarm"
        case PlanHost(host):
            return f"Plan for {host}", f"Planning {host}"
        case Accept(node):
            return f"Accept {node}", f"Accepting {node}"
        case Reject(node, remove):
            return f"Reject {node}" + (" and remove it from the swarm" if remove else ""), f"Rejecting {node}"
        case RunDoctor():
            return "Doctor", "Running the doctor"
        case ShowService(name):
            return f"Service {name}", f"Reading service {name}"
        case CreateService(name):
            return f"Create service {name}", f"Creating service {name}"
        case ScaleServices(targets):
            text = ", ".join(f"{target.service} to {target.replicas}" for target in targets)
            return f"Scale {text}", f"Scaling {text}"
        case RestartService(name):
            return f"Restart {name}", f"Restarting {name}"
        case RollBackService(name):
            return f"Roll back {name}", f"Rolling back {name}"
        case ListHosts() | ListNodes() | ListServices() as listing:
            return listing.type.capitalize(), f"Listing {listing.type}"
        case other:
            return other.type.capitalize(), f"Running {other.type}"


def emoji(state: RunState) -> str:
    """Return the mark at the start of the run's message."""
    if is_stale(state):
        return "⚠️"
    if state.status == "finished" and state.outcome:
        return outcome_emoji(state.outcome)
    if state.status == "finished" and state.question and state.question.question in DECLINED_TEXT:
        return "⚠️" if state.question.question == "start_containers" else EMOJI["done"]
    return EMOJI.get(state.status, "❌" if state.outcome else "🚫")


def is_stale(state: RunState) -> bool:
    """Return whether the run shows an old node table because no manager is reachable."""
    is_list = state.status == "finished" and isinstance(state.record.command, ListNodes)
    return is_list and isinstance(state.table, NodeTable) and bool(state.table.stale_reason)


def outcome_emoji(outcome: JobFinished) -> str:
    """Return the mark for an outcome."""
    return EMOJI.get(outcome.outcome, "❌")


def outcome_label(outcome: JobFinished) -> str:
    """Return an outcome in words."""
    return OUTCOME_TEXT.get(outcome.outcome, outcome.outcome)


def status_text(state: RunState) -> str:
    """Return the run's status in a few words, unescaped."""
    match state.status:
        case "running":
            step = latest_started_step(state)
            return f"{step.title}…" if step and step.status == "running" else inspection(state)
        case "waiting":
            if state.expired:
                return "expired: not accepted in time"
            return WAITING_TEXT[state.question.question] if state.question else "waiting"
        case "finished":
            return _finished_text(state)
        case status:
            return status


def inspection(state: RunState) -> str:
    """Return what a run does before its first step."""
    if command_services(state.record.command) is not None:
        return "reading the services"
    return f"inspecting the {'host' if hasattr(state.record.command, 'host') else 'hosts'}"


def _finished_text(state: RunState) -> str:
    if is_stale(state):
        return "last known table"
    if state.outcome:
        return outcome_label(state.outcome)
    return DECLINED_TEXT.get(state.question.question, "cancelled") if state.question else "cancelled"


def decision_lines(state: RunState) -> list[str]:
    """Return one line for each decision on the run's questions."""
    last = state.question.question if state.question else ""
    return [_decision_line(each, last if each.job == state.record.job_count else "") for each in state.decisions]


def decision_text(choice: Choice, question: str) -> str:
    """Return the choice in words. After a migration, to cancel is to keep what the question was about."""
    return KEPT_TEXT.get(question, DECISION_TEXT[choice]) if choice == "cancel" else DECISION_TEXT[choice]


def _decision_line(decision: Decision, question: str) -> str:
    """Return who decided what, when, and why, and what follows for the node."""
    user = f" by <@{decision.user}>" if decision.user else ""
    why = f": {escape_mrkdwn(decision.why)}" if decision.why else ""
    consequence = CONSEQUENCE_TEXT.get(decision.choice, "")
    return f"{decision_text(decision.choice, question)}{user} at {timestamp(decision.decided_at)}{why}{consequence}"


def protocol_warning(state: RunState) -> str:
    """Return the warning about events of another protocol version."""
    return (
        f"⚠️ Some events of this run use protocol version {state.other_protocol} and are hidden: the bot and the "
        f"reconciler use version {PROTOCOL_VERSION}. Upgrade the older side."
    )


def signature_warning() -> str:
    """Return the warning about events with an invalid signature."""
    return (
        "⚠️ Some events of this run have an invalid signature and are hidden. Either the RQ workers use a different "
        "`IMKER_SIGNING_KEY`, or something else writes to Redis. See docs/redis.md."
    )
