"""Follow which manager leads. Pure."""

from dataclasses import replace

from bot.watch.looks import LEADER, label_of
from bot.watch.model import FLAPPING_SECONDS, LEADER_HOLD, MAX_NOTICES, LeaderChange, Leadership, OwnChanges
from imker.protocol.observation import Observation

RETENTION = 3600.0  # seconds that a change is recent_changes, until there is a message that it belongs to


def fold_leader(leadership: Leadership, observation: Observation, own_changes: OwnChanges) -> Leadership:
    """Return the leadership after the observation. A change counts if it holds and Imker changed no manager."""
    now = observation.taken_at
    recent_changes = tuple(change for change in leadership.changes if now - change.at < RETENTION)
    current = replace(leadership, changes=recent_changes)
    leader = next((node for node in observation.nodes if node.row.manager_status == LEADER), None)
    if leader is None or leader.row.id == leadership.node:
        return replace(current, candidate="", candidate_since=0.0)
    node, label = leader.row.id, label_of(leader)
    managers = [each.host for each in observation.nodes if each.row.manager_status]
    if not leadership.node or own_changes.touches_managers(managers):
        return Leadership(node, label, changes=recent_changes)
    if node != leadership.candidate or now < leadership.candidate_since:
        return replace(current, candidate=node, candidate_since=now)
    if now - leadership.candidate_since < LEADER_HOLD:
        return current
    change = LeaderChange(leadership.candidate_since, leadership.node, leadership.label, label)
    return Leadership(node, label, changes=_add(recent_changes, change))


def _add(changes: tuple[LeaderChange, ...], change: LeaderChange) -> tuple[LeaderChange, ...]:
    """Add the change, unless there were too many just before."""
    recent = [each for each in changes if change.at - each.at < FLAPPING_SECONDS]
    return (*changes, change) if len(recent) < MAX_NOTICES else changes
