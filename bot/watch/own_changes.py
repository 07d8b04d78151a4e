"""Find out what Imker itself is changing, which is no incident. Pure."""

from collections.abc import Iterable

from bot.records import ALL_HOSTS, target_host
from bot.state.run_state import RunState
from bot.watch.model import OwnChanges
from imker.protocol.version import CHANGES_QUEUE


def find_own_changes(states: Iterable[RunState], since: float) -> OwnChanges:
    """Return what the runs change: those that run, and those that ended after `since`, in UNIX seconds.

    A run that waits for an answer changes nothing. One that names neither host nor service may change anything.
    """
    active = [state for state in states if _may_change(state, since)]
    hosts = {target_host(state.record, state.question) for state in active}
    services = {name for state in active if (name := getattr(state.record.command, "service", ""))}
    named = frozenset(hosts - {ALL_HOSTS})
    unnamed = [state for state in active if _names_nothing(state)]
    return OwnChanges(named, frozenset(services), everything=bool(unnamed))


def _may_change(state: RunState, since: float) -> bool:
    if state.record.command.queue != CHANGES_QUEUE:
        return False
    if state.status == "running":
        return True
    return (state.finished_at or 0.0) >= since


def _names_nothing(state: RunState) -> bool:
    is_unnamed = target_host(state.record, state.question) == ALL_HOSTS
    return is_unnamed and not getattr(state.record.command, "service", "")
