"""Render the reply to `/swarm watch`: whether it is on, its last look, and the incidents. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from bot.messages.block_kit import SECTION_LIMIT, TEXT_LIMIT, Message, section, timestamp
from bot.messages.watch.incident import MARKS, incident_line, rough_duration
from bot.watch.model import Incident, WatchMode, WatchState
from imker.text import truncate

MAX_LISTED, MAX_RESOLVED = 15, 3  # incidents
LATE_LOOKS = 3  # times the interval after which the last look is late
MIN_LATE = 120.0  # seconds before which it is never late


@dataclass(frozen=True)
class WatchView:
    """What the reply shows. `every`: seconds between two looks; `channel`: where the watch posts."""

    mode: WatchMode
    state: WatchState
    every: float
    channel: str


def watch_status(view: WatchView, now: float) -> Message:
    """Return the reply. `now`: UNIX seconds."""
    text = "\n".join([_mode_line(view, now), *_look_lines(view, now), *_incident_lines(view), _commands(view, now)])
    return Message(truncate(text, TEXT_LIMIT), (section(truncate(text, SECTION_LIMIT)),))


def open_lines(state: WatchState) -> list[str]:
    """Return a line for each open incident."""
    open_incidents = [incident for incident in state.incidents if incident.is_open]
    lines = [
        f"{MARKS[incident.condition.kind]} {incident_line(incident)}{_note(incident)}" for incident in open_incidents
    ]
    more = [f"and {len(lines) - MAX_LISTED} more"] if len(lines) > MAX_LISTED else []
    return [*lines[:MAX_LISTED], *more]


def _mode_line(view: WatchView, now: float) -> str:
    by = f" by <@{view.mode.user}>" if view.mode.user else ""
    if not view.mode.is_on:
        return f"*The watch is off*{f', turned off{by}' if by else ''}. Nothing about the swarm is posted."
    where = f" and posts in <#{view.channel}>" if view.channel else ""
    line = f"*The watch is on.* It checks the swarm every {rough_duration(view.every)}{where}."
    if view.mode.muted_until <= now:
        return line
    return f"{line} Muted until {timestamp(view.mode.muted_until)}{by}: what is still wrong then is posted."


def _look_lines(view: WatchView, now: float) -> Iterable[str]:
    if not view.mode.is_on:
        return
    if not view.state.observed_at:
        yield "Not checked yet. The watch begins when Imker has seen a swarm: see `/swarm nodes`."
        return
    age = max(0.0, now - view.state.observed_at)
    services = f", {_count(view.state.services, 'service')}" if view.state.services is not None else ""
    counts = f": {_count(view.state.nodes, 'node')}{services}" if view.state.nodes else ""
    yield f"Last check {rough_duration(age)} ago{counts}."
    if age > max(LATE_LOOKS * view.every, MIN_LATE):
        yield "⚠️ That is late. Check that an RQ worker for reads runs: `/swarm doctor`."


def _incident_lines(view: WatchView) -> list[str]:
    if not view.mode.is_on:
        return []
    resolved = [incident for incident in view.state.incidents if incident.phase == "resolved" and incident.notices]
    newest = sorted(resolved, key=lambda incident: -incident.resolved_at)[:MAX_RESOLVED]
    return [
        *(open_lines(view.state) or (["No open incidents."] if view.state.observed_at else [])),
        *(f"✅ {incident_line(incident)}" for incident in newest),
    ]


def _note(incident: Incident) -> str:
    return " Known since the watch began, so it was not posted." if incident.is_known else ""


def _commands(view: WatchView, now: float) -> str:
    if not view.mode.is_on:
        return "To turn it on, type `/swarm watch on`."
    if view.mode.muted_until > now:
        return "To end the mute, type `/swarm watch on`."
    return "To mute it, type `/swarm watch mute 2h`. To turn it off, type `/swarm watch off`."


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
