"""Test the invariant checks themselves: they detect a wrong history and accept a correct one."""

import pytest

from lab.chaos.invariants import (
    fencing_token_never_decreases,
    nothing_changed_again,
    nothing_without_right,
    services_change_once_per_run,
)
from lab.simulated.history import Action
from lab.slack.client import VisibleMessage


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


def changed(detail: str, error: str = "") -> Action:
    return Action("tondi", "service", detail, "127.0.0.1:4", 1, 1, error)


@pytest.mark.parametrize(
    ("changes", "commands", "expected"),
    [
        ([], ["create web nginx:1.11"], []),
        ([changed("create web")], ["create web nginx:1.11", "nodes", ""], []),
        ([changed("create web")], ["services"], ["1 times “create” a service, for 0 runs"]),
        ([changed("update s1"), changed("update s1")], ["scale web=3", "restart web"], []),
        ([changed("update s1"), changed("update s2")], ["scale web=3"], ["2 times “update” a service, for 1 runs"]),
        ([changed("update s1"), changed("update s1", "out of sequence")], ["restart web"], []),
        (
            [changed("roll back s1"), changed("roll back s1")],
            ["rollback web", "scale web=3"],
            ["2 times “roll back” a service, for 1 runs"],
        ),
    ],
)
def test_detects_a_change_of_a_service_without_a_run(
    changes: list[Action], commands: list[str], expected: list[str]
) -> None:
    assert services_change_once_per_run(changes, commands) == expected


def message(requester: str) -> VisibleMessage:
    text = {"type": "mrkdwn", "text": f"`/swarm restart web` by <@{requester}> at 13:20"}
    return VisibleMessage({"text": "Restart web", "blocks": [{"type": "section", "text": text}]})


@pytest.mark.parametrize(
    ("changes", "requester", "expected"),
    [
        ([changed("create web")], "U01ALICE", []),
        ([], "U03CAROL", ["without a right: Restart web"]),
        ([changed("create outsider")], "U01ALICE", ["without a right: create outsider"]),
    ],
)
def test_detects_a_change_without_a_right(changes: list[Action], requester: str, expected: list[str]) -> None:
    assert nothing_without_right(changes, [message(requester)], "U03CAROL") == expected
