"""Fold observations into the watch's state: `observe -> incidents`. Pure.

In: the state before, an observation, and what Imker itself is changing. Out: the state after. Times are those of the
observations, so that two reconcilers which fold the same observation get the same state.
"""

from dataclasses import replace

from bot.watch.incidents import Circumstances, fold_look
from bot.watch.leader import fold_leader
from bot.watch.looks import Look, look_at_hosts, look_at_swarm
from bot.watch.model import NO_CHANGES, OwnChanges, WatchState
from imker.protocol.observation import HostObservation, Observation


def fold_swarm(
    state: WatchState, observation: Observation, own_changes: OwnChanges = NO_CHANGES, *, is_muted: bool = False
) -> WatchState:
    """Return the state after an observation of the swarm. Without a swarm there is nothing to watch."""
    if not observation.answered_by and not observation.problem:
        return WatchState(observation.taken_at, state.hosts_observed_at)
    folded = replace(_fold(state, look_at_swarm(observation), own_changes, is_muted), observed_at=observation.taken_at)
    if not observation.answered_by:
        return folded
    managers = tuple(node.host for node in observation.nodes if node.row.manager_status and node.host)
    return replace(
        folded,
        leadership=fold_leader(state.leadership, observation, own_changes),
        manager_hosts=managers,
        nodes=len(observation.nodes),
        services=observation.services,
    )


def fold_hosts(
    state: WatchState, observation: HostObservation, own_changes: OwnChanges = NO_CHANGES, *, is_muted: bool = False
) -> WatchState:
    """Return the state after an observation of the hosts."""
    folded = _fold(state, look_at_hosts(observation), own_changes, is_muted)
    return replace(folded, hosts_observed_at=observation.taken_at)


def start_again(state: WatchState) -> WatchState:
    """Return the state with which the watch begins after it was off: incidents with a message can still be resolved."""
    return WatchState(incidents=tuple(incident for incident in state.incidents if incident.notices))


def _fold(state: WatchState, look: Look, own_changes: OwnChanges, is_muted: bool) -> WatchState:
    around = Circumstances(own_changes, state.manager_hosts, state.covered, is_muted)
    covered = tuple(sorted({*state.covered, *look.kinds}))
    return replace(state, incidents=fold_look(state.incidents, look, around), covered=covered)
