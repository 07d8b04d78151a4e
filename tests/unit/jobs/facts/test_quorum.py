import pytest

from jobs.facts import quorum


@pytest.mark.parametrize(("managers", "lost"), [(0, 0), (1, 0), (2, 0), (3, 1), (4, 1), (5, 2), (6, 2), (7, 3)])
def test_computes_the_fault_tolerance_of_raft(managers: int, lost: int) -> None:
    assert quorum.fault_tolerance(managers) == lost
    assert not managers or (managers - lost) > managers // 2


@pytest.mark.parametrize(
    ("managers", "words"),
    [
        (1, "1 manager (survives no loss)"),
        (2, "2 managers (survives no loss; an even number is no safer than 1, so add one)"),
        (3, "3 managers (survives the loss of 1)"),
        (5, "5 managers (survives the loss of 2)"),
    ],
)
def test_describes_the_fault_tolerance(managers: int, words: str) -> None:
    assert quorum.describe_tolerance(managers) == words


@pytest.mark.parametrize(
    ("managers", "reachable", "may"), [(1, 1, True), (2, 1, False), (3, 3, True), (3, 2, False), (0, 0, False)]
)
def test_allows_a_new_manager_only_while_all_are_reachable(managers: int, reachable: int, may: bool) -> None:
    assert quorum.may_add_manager(managers, reachable) is may
