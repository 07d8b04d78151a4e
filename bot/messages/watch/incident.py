"""Render the messages of the watch: incidents, their return, and changes of the leader. Pure.

A text depends on the state only, not on the time of rendering, so that a message is edited only when something changes.
"""

import time

from bot.messages.block_kit import LINE_LIMIT, Block, Message, button, ephemeral, section, timestamp
from bot.messages.escape import escape_mrkdwn, inline_code
from bot.messages.views.form import RUN_COMMAND
from bot.watch.model import Condition, Incident, Kind, LeaderChange
from bot.watch.notices import IncidentMessage, Repeat
from imker.text import truncate

MAX_LINES = 15  # incidents that one message lists
BUTTONS = (("Nodes", "nodes"), ("Doctor", "doctor"), ("Mute 2 h", "watch mute 2h"))  # label, command
MARKS: dict[Kind, str] = {"swarm": "🔻", "node": "🔻", "service": "🔻", "certificate": "⚠️", "options": "⚠️"}
OPEN: dict[Kind, str] = {
    "swarm": "No manager answers",
    "node": "{label} is {status}",
    "service": "Service {label} has {status}",
    "certificate": "The certificate {label} of {host} {verb} on {day}",
    "options": "The daemon options of {label} differ from those that Imker left",
}
RESOLVED: dict[Kind, str] = {
    "swarm": "A manager answers again",
    "node": "{label} is Ready again",
    "service": "Service {label} has all its tasks again",
    "certificate": "The certificate {label} of {host} is renewed",
    "options": "The daemon options of {label} are those that Imker left",
}
SUMMARIES: dict[Kind, str] = {  # of several incidents
    "swarm": "The swarm has {count} problems",
    "node": "{count} nodes went Down or became unreachable",
    "service": "{count} services have too few running tasks",
    "certificate": "{count} certificates end soon",
    "options": "The daemon options of {count} hosts have changed",
}
NEXT: dict[Kind, str] = {
    "swarm": "Check that the managers run and that the RQ workers reach them. To see each host, type `/swarm hosts`.",
    "node": "Check that the machine runs, and then its Engine: `systemctl status docker`.",
    "service": "To see its tasks, type {service}.",
    "certificate": "Renew it with the fleet's CA, for the Engine and for Imker, and then restart the Engine.",
    "options": "To see what Imker would do about it, type `/swarm plan {host}`. If the change is wanted, type "
    "`/swarm migrate {host}`: Imker applies it and remembers it.",
}


def incident_message(message: IncidentMessage) -> Message:
    """Return the message about incidents that opened together, with buttons while one of them is open."""
    text = "\n".join(_lines(message))
    return Message(ephemeral(text).text, (section(text), *(_buttons() if message.is_open else ())))


def repeat_message(repeat: Repeat) -> Message:
    """Return the reply that says that incidents are open again."""
    lines = [
        f"{MARKS[each.condition.kind]} *{_fill(OPEN, each.condition)}* again, "
        f"{each.occurrences} times since {timestamp(each.began_at)}."
        for each in repeat.incidents[:MAX_LINES]
    ]
    return ephemeral("\n".join(lines))


def leader_message(change: LeaderChange) -> Message:
    """Return the reply about another leader."""
    new, old = inline_code(change.new), inline_code(change.old)
    return ephemeral(f"ℹ️ The leader is {new} since {timestamp(change.at)}. Before, it was {old}.")


def abandoned_message() -> Message:
    """Return the message that replaces one whose incidents Imker no longer knows."""
    return ephemeral(
        "❓ Imker no longer follows this incident: the swarm is gone, or Redis lost its data. To see the nodes, type "
        "`/swarm nodes`."
    )


def incident_line(incident: Incident) -> str:
    """Return one incident in one line: what happened, where, since when, and whether it is resolved."""
    condition, times = incident.condition, incident.occurrences
    repeated = f" It happened {times} times." if times > 1 else ""
    if incident.is_open:
        since = f" since {timestamp(incident.began_at)}" if condition.kind != "certificate" else ""
        return f"*{_fill(OPEN, condition)}*{since}{_detail(condition)}.{repeated}"
    clause = "{label} is no longer a node of the swarm" if incident.is_removed else RESOLVED[condition.kind]
    after = rough_duration(incident.resolved_at - incident.began_at)
    return f"*{_fill({condition.kind: clause}, condition)}*: resolved after {after}.{repeated}"


def rough_duration(seconds: float) -> str:
    """Return a duration such as "40 s", "4 min", "3 h 5 min", or "2 days"."""
    minutes = max(0, round(seconds / 60))
    if seconds < 90:
        return f"{max(0, round(seconds))} s"
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min" if minutes < 48 * 60 else f"{minutes // (24 * 60)} days"


def _lines(message: IncidentMessage) -> list[str]:
    incidents, kind = message.incidents, message.incidents[0].condition.kind
    mark = MARKS[kind] if message.is_open else "✅"
    ends = [_outlook(message), _next(message)] if message.is_open else []
    if len(incidents) == 1:
        return [f"{mark} {incident_line(incidents[0])}", *filter(None, ends)]
    ordered = sorted(incidents, key=lambda incident: not incident.is_open)
    listed = [f"{'•' if each.is_open else '✅'} {incident_line(each)}" for each in ordered[:MAX_LINES]]
    more = [f"and {len(incidents) - MAX_LINES} more"] if len(incidents) > MAX_LINES else []
    title = f"{mark} *{SUMMARIES[kind].format(count=len(incidents))}.*{_resolved_count(incidents)}"
    return [title, *listed, *more, *filter(None, ends)]


def _resolved_count(incidents: tuple[Incident, ...]) -> str:
    count = sum(not incident.is_open for incident in incidents)
    if count == len(incidents):
        return " All are resolved."
    return f" {count} of {len(incidents)} {'is' if count == 1 else 'are'} resolved." if count else ""


def _fill(texts: dict[Kind, str], condition: Condition) -> str:
    return texts[condition.kind].format(
        label=inline_code(condition.label),
        host=inline_code(condition.host),
        status=escape_mrkdwn(condition.status),
        verb="expired" if condition.status == "expired" else "ends",
        day=time.strftime("%Y-%m-%d", time.gmtime(condition.ends_at)),
    )


def _detail(condition: Condition) -> str:
    """Return the reason, or what has changed."""
    detail = truncate(condition.detail.removesuffix("."), LINE_LIMIT)
    return f": {escape_mrkdwn(detail)}" if detail else ""


def _outlook(message: IncidentMessage) -> str:
    """Return how many managers are reachable, and what the swarm still survives. "" if it is about no node."""
    condition = next(incident.condition for incident in message.incidents if incident.is_open)
    managers, reachable = condition.managers, condition.reachable
    spare = reachable - (managers // 2 + 1)
    if not managers:
        return ""
    lead = f"{reachable} of {managers} manager{'s' * (managers != 1)} {'is' if reachable == 1 else 'are'} reachable"
    if spare < 0:
        return f"{lead}: no quorum. Running tasks continue, but the swarm cannot be changed."
    return f"{lead}: the swarm survives the loss of {spare or 'none'} of them."


def _next(message: IncidentMessage) -> str:
    """Return what to do next."""
    open_incidents = [incident for incident in message.incidents if incident.is_open]
    condition, is_one = open_incidents[0].condition, len(open_incidents) == 1
    service = inline_code(f"/swarm service {condition.label if is_one else 'SERVICE'}")
    return NEXT[condition.kind].format(host=(is_one and condition.host) or "HOST", service=service)


def _buttons() -> list[Block]:
    elements = [button(label, f"{RUN_COMMAND}.{text.split()[0]}", text, "") for label, text in BUTTONS]
    return [{"type": "actions", "block_id": "watch", "elements": elements}]
