"""Decide when the next observation is due. Pure."""

from bot.watch.incidents import seconds_to_hold
from bot.watch.model import LEADER_HOLD, WatchState

CONFIRM_SECONDS = 20.0  # between an observation that shows a change and the one that shows whether it holds
HOSTS_INTERVAL = 15 * 60.0  # seconds between two observations of the hosts, each of which takes an SSH connection


def swarm_interval(state: WatchState, every: float) -> float:
    """Return the seconds between the latest observation of the swarm and the next one: less if a change must hold."""
    waits = [
        incident.since + seconds_to_hold(incident) - state.observed_at
        for incident in state.incidents
        if incident.is_unconfirmed
    ]
    if state.leadership.candidate:
        waits.append(state.leadership.candidate_since + LEADER_HOLD - state.observed_at)
    return min([every, *(max(CONFIRM_SECONDS, wait) for wait in waits)])
