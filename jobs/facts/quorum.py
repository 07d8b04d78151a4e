"""Compute the fault tolerance of the managers, as Raft defines it. Pure."""

from imker.protocol.values import Quorum


def fault_tolerance(managers: int) -> int:
    """Return how many of these managers may fail: none of 1 or 2, one of 3 or 4, two of 5."""
    return max(0, (managers - 1) // 2)


def quorum_change(managers: int, after: int) -> Quorum:
    return Quorum(managers, fault_tolerance(managers), after, fault_tolerance(after))


def may_add_manager(managers: int, reachable: int) -> bool:
    """Return whether all managers are reachable: a new one raises the quorum at once, before it can vote."""
    return managers == reachable > 0


def may_remove_manager(managers: int, reachable: int, is_reachable: bool) -> bool:
    """Return whether quorum remains without one of the managers. `is_reachable`: whether that one is."""
    others, needed = reachable - is_reachable, (managers - 1) // 2 + 1
    return managers > 1 and others >= needed


def may_restart_manager(managers: int, reachable: int) -> bool:
    """Return whether a quorum remains while one of the reachable managers restarts."""
    return reachable - 1 >= managers // 2 + 1


def describe_tolerance(managers: int) -> str:
    """Return "3 managers (survives the loss of 1)". For an even number, add that it tolerates no more than one less."""
    count = "1 manager" if managers == 1 else f"{managers} managers"
    spare = fault_tolerance(managers)
    note = f"; an even number is no safer than {managers - 1}, so add one" if managers and managers % 2 == 0 else ""
    return f"{count} (survives {f'the loss of {spare}' if spare else 'no loss'}{note})"
