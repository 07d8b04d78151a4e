"""Raft's arithmetic: how many managers may fail, and what a change does to that. Pure."""

from imker.protocol.values import Quorum


def fault_tolerance(managers: int) -> int:
    """How many of so many managers may fail: 1 and 2 none, 3 and 4 one, 5 two."""
    return max(0, (managers - 1) // 2)


def quorum_change(managers: int, after: int) -> Quorum:
    return Quorum(managers, fault_tolerance(managers), after, fault_tolerance(after))


def may_add_manager(managers: int, reachable: int) -> bool:
    """A manager is added only while all others answer: a new one counts at once, but helps later."""
    return managers == reachable > 0


def describe_tolerance(managers: int) -> str:
    """ "3 managers: 1 may fail"; an even number is remarked upon, for it buys nothing."""
    count = "1 manager" if managers == 1 else f"{managers} managers"
    line = f"{count}: {fault_tolerance(managers) or 'none'} may fail"
    if managers and managers % 2 == 0:
        line += f" (an even number is no safer than {managers - 1}; add one)"
    return line
