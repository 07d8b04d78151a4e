"""Decide which hosts of a fleet start now. Pure."""

from bot.state.fleet_state import FleetState, HostState, HostStatus
from imker.protocol.values import HostPlan

SETTLED_STATES = ("unaccepted", "done")  # the next wave does not wait for a manager to be accepted
BUSY_STATES: tuple[HostStatus, ...] = ("running", "waiting")  # these count for the limit of parallel hosts


def hosts_to_start(fleet: FleetState) -> tuple[HostPlan, ...]:
    """Return the hosts to start now: the next ones of the first pending wave, up to the limit of parallel hosts.

    A wave starts when all earlier ones have settled, and after the plan's pause. Nothing starts while the fleet is
    paused or cancelled, after a failure, or after the start has expired.
    """
    pending = fleet.with_status("pending")
    if not pending or not may_start(fleet) or _pauses(fleet):
        return ()
    wave = min(host.plan.wave for host in pending)
    following = [host.plan for host in pending if host.plan.wave == wave]
    joins = all(plan.joins for plan in following)
    if not all(_is_settled(host, joins) for host in fleet.hosts if host.plan.wave < wave):
        return ()
    return tuple(following)[: max(0, fleet.plan.parallel - len(fleet.with_status(*BUSY_STATES)))]


def _pauses(fleet: FleetState) -> bool:
    """Return whether the pause after the host that finished last is not over."""
    ends = [host.run.finished_at for host in fleet.hosts if host.run and host.run.finished_at]
    return bool(ends) and fleet.run.now < max(ends) + fleet.plan.pause_seconds


def may_start(fleet: FleetState) -> bool:
    """Return whether hosts may start: the fleet is started and not held, and no host has failed."""
    is_held = fleet.is_held("pause") or fleet.is_held("cancel")
    return not (fleet.start is None or fleet.start_expired or is_held or fleet.with_status("failed", "cancelled"))


def _is_settled(host: HostState, next_joins: bool) -> bool:
    """Return whether the next wave may start, as far as this host is concerned.

    Hosts may join while another one is promoted. A node of the swarm restarts only while no promotion is running.
    """
    return host.status in SETTLED_STATES or (next_joins and host.is_being_accepted)
