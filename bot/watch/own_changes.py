"""Find out what Imker itself is changing, which is no incident. Pure."""

from collections.abc import Iterable

from bot.records import ALL_HOSTS, target_host, target_services
from bot.state.run_state import RunState
from bot.watch.model import OwnChanges
from imker.protocol.version import CHANGES_QUEUE


def find_own_changes(states: Iterable[RunState], since: float) -> OwnChanges:
    """Return what the runs change: those that run, and those that ended after `since`, in UNIX seconds.

    A run that waits for an answer changes nothing. One about all hosts may change anything.
    """
    active = [state for state in states if _may_change(state, since)]
    by_services = {state.record.run: target_services(state.record, state.question) for state in active}
    of_hosts = [state for state in active if by_services[state.record.run] is None]
    hosts = frozenset(target_host(state.record, state.question) for state in of_hosts)
    services = frozenset(name for names in by_services.values() for name in names or ())
    return OwnChanges(hosts - {ALL_HOSTS}, services, everything=ALL_HOSTS in hosts)


def _may_change(state: RunState, since: float) -> bool:
    if state.record.command.queue != CHANGES_QUEUE:
        return False
    if state.status == "running":
        return True
    return (state.finished_at or 0.0) >= since
