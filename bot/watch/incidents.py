"""Fold a look into the incidents: open what has changed and holds, resolve what is gone, reopen what comes back. Pure.

A condition opens an incident when two looks show it, `hold` seconds apart or more, and resolves it in the same way.
What is there at the first look, and what Imker itself changes, opens nothing. A condition that comes back soon reopens
its incident, so that a flapping subject has one message and at most MAX_NOTICES notices in FLAPPING_SECONDS.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from bot.watch.looks import Look
from bot.watch.model import FLAPPING_SECONDS, HOLD, MAX_NOTICES, NO_CHANGES, Condition, Incident, Kind, OwnChanges

RETENTION = 24 * 3600.0  # seconds that a resolved incident with a message is kept, so that the message can be edited
MAX_RESOLVED = 100  # resolved incidents that are kept; the newest ones


@dataclass(frozen=True)
class Circumstances:
    """What decides, apart from the look, whether something is new.

    `own_changes`: what Imker itself is changing; `manager_hosts`: hosts that managed the swarm; `covered`: kinds that
    were observed before; `is_muted`: no new messages.
    """

    own_changes: OwnChanges = NO_CHANGES
    manager_hosts: tuple[str, ...] = ()
    covered: tuple[Kind, ...] = ()
    is_muted: bool = False

    def explain(self, condition: Condition) -> bool:
        """Return whether a change of Imker itself may be the reason for the condition."""
        match condition.kind:
            case "swarm":
                return self.own_changes.touches_managers(self.manager_hosts)
            case "service":
                return self.own_changes.touches_service(condition.name)
            case _:
                return self.own_changes.touches_host(condition.host)


def fold_look(incidents: Iterable[Incident], look: Look, around: Circumstances) -> tuple[Incident, ...]:
    """Return the incidents after the look."""
    earlier = tuple(incidents)
    current = {incident.condition.key: incident for incident in earlier if not _is_over(incident, look.taken_at)}
    over = [incident for incident in earlier if _is_over(incident, look.taken_at) and _is_kept(incident, look)]
    folded = [incident for old in current.values() if (incident := _fold(old, look, around))]
    absent = [condition for key, condition in look.conditions.items() if key not in current]
    new = [condition for condition in absent if not look.is_superseded(condition)]
    new_incidents = [incident for condition in new if (incident := _begin(condition, look.taken_at, around))]
    open_ones = (
        [*folded, *new_incidents]
        if around.is_muted
        else [_notice(each, look.taken_at) for each in (*folded, *new_incidents)]
    )
    return _limit((*over, *open_ones))


def seconds_to_hold(incident: Incident) -> float:
    """Return how long the incident's latest change has to hold. What is gone holds soon."""
    hold = incident.condition.hold
    return min(hold, HOLD["node"]) if incident.phase == "clearing" else hold


def _is_over(incident: Incident, now: float) -> bool:
    """Return whether the subject's next condition is a new incident."""
    return incident.phase == "resolved" and now - incident.resolved_at >= FLAPPING_SECONDS


def _is_kept(incident: Incident, look: Look) -> bool:
    return bool(incident.notices) and look.taken_at - incident.resolved_at < RETENTION


def _begin(condition: Condition, now: float, around: Circumstances) -> Incident | None:
    """Return the new incident, None for a change of Imker itself."""
    if condition.kind not in around.covered:
        return Incident(condition, "open", now, now, occurrences=1, is_known=True)
    if around.explain(condition):
        return None
    opened = condition.hold <= 0
    return Incident(condition, "open" if opened else "seen", now, now, occurrences=int(opened))


def _fold(old: Incident, look: Look, around: Circumstances) -> Incident | None:
    """Return the incident after the look, None if it was never more than seen."""
    if not look.covers(old.condition):
        return old
    incident = replace(old, since=min(old.since, look.taken_at))  # the clock may have been set back
    condition = look.conditions.get(old.condition.key)
    if condition is None:
        return _fold_absent(incident, look)
    return _fold_present(incident, condition, look.taken_at, around.explain(condition))


def _fold_present(incident: Incident, condition: Condition, now: float, is_own: bool) -> Incident | None:
    current = replace(incident, condition=condition)
    has_held = now - incident.since >= condition.hold
    match incident.phase:
        case "clearing":
            return replace(current, phase="open", since=incident.began_at)
        case "seen" if is_own:
            return None
        case "seen" if has_held:
            return replace(current, phase="open", occurrences=1)
        case "seen again" if is_own:
            return replace(incident, phase="resolved", since=incident.resolved_at)
        case "seen again" if has_held:
            return replace(_reopen(current), phase="open")
        case "resolved" if not is_own:
            return replace(current, phase="seen again", since=now)
        case "resolved":
            return incident
        case _:
            return current


def _fold_absent(incident: Incident, look: Look) -> Incident | None:
    now, condition = look.taken_at, incident.condition
    match incident.phase:
        case "seen":
            return None
        case "seen again":
            return replace(incident, phase="resolved", since=incident.resolved_at)
        case "open" if HOLD[condition.kind] <= 0 or look.is_removed(condition):
            return _resolve(replace(incident, since=now), look)
        case "open":
            return replace(incident, phase="clearing", since=now)
        case "clearing" if now - incident.since >= seconds_to_hold(incident):
            return _resolve(incident, look)
        case _:
            return incident


def _reopen(incident: Incident) -> Incident:
    return replace(incident, occurrences=incident.occurrences + 1, resolved_at=0.0, is_removed=False, is_known=False)


def _resolve(incident: Incident, look: Look) -> Incident:
    """Return the incident as resolved when its condition was first observed to be gone."""
    return replace(
        incident, phase="resolved", resolved_at=incident.since, is_removed=look.is_removed(incident.condition)
    )


def _notice(incident: Incident, now: float) -> Incident:
    """Decide whether this occurrence is worth a message now."""
    recent = [at for at in incident.notices if now - at < FLAPPING_SECONDS]
    is_due = incident.phase == "open" and not incident.is_known and incident.noticed < incident.occurrences
    if not is_due or len(recent) >= MAX_NOTICES:
        return incident
    notices = (*incident.notices[:1], *incident.notices[1:][-MAX_NOTICES:], now)  # the first one names the message
    return replace(incident, notices=notices, noticed=incident.occurrences)


def _limit(incidents: tuple[Incident, ...]) -> tuple[Incident, ...]:
    """Return all incidents that are not resolved, and the newest resolved ones."""
    resolved = [incident for incident in incidents if incident.phase == "resolved"]
    newest = sorted(resolved, key=lambda incident: incident.resolved_at)[-MAX_RESOLVED:]
    return tuple(incident for incident in incidents if incident.phase != "resolved" or incident in newest)
