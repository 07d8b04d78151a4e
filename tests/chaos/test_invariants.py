"""Test the invariant checks themselves: they detect a wrong history and accept a correct one."""

import pytest

from lab.chaos.invariants import fencing_token_never_decreases, nothing_changed_again
from lab.simulated.history import Action


def deed(
    fence: int, began: float, host: str = "tondi", kind: str = "file", source: str = "127.0.0.1:4", **how: str
) -> Action:
    return Action(host, kind, how.get("what", "sh -c"), source, began, began, token=fence)


@pytest.mark.parametrize(
    ("deeds", "expected_count"),
    [
        ([deed(3, 1), deed(3, 2), deed(5, 3)], []),
        ([deed(5, 3), deed(3, 1)], []),  # told in another order than done
        ([deed(3, 1), deed(5, 2), deed(3, 3)], ["tondi was changed with token 3 after 5: 'sh -c'"]),
        ([deed(5, 1), deed(3, 2, host="kaditz")], []),
        ([deed(0, 1)], ["tondi was changed without a fencing token: 'sh -c'"]),
        ([deed(0, 1, kind="fault"), deed(0, 2, source="")], []),
        ([deed(5, 1), deed(0, 2, kind="unit", what="systemd-run --unit=imker-probe.service")], []),
    ],
)
def test_detects_a_decreasing_fencing_token(deeds: list[Action], expected_count: list[str]) -> None:
    assert fencing_token_never_decreases(deeds) == expected_count


@pytest.mark.parametrize(
    ("later", "expected_count"),
    [
        ([], []),
        ([deed(5, 3, kind="fault"), deed(5, 3, kind="unit", what="systemd-run --unit=imker-probe.service")], []),
        ([deed(7, 3)], ["a repeated command changed tondi again (token 7, 127.0.0.1:4): file, sh -c"]),
        ([deed(0, 3, kind="join")], ["a repeated command changed tondi again (token 0, 127.0.0.1:4): join, sh -c"]),
    ],
)
def test_detects_changes_by_a_repeated_command(later: list[Action], expected_count: list[str]) -> None:
    assert nothing_changed_again([deed(3, 1), deed(3, 2, kind="init"), *later], 2) == expected_count
