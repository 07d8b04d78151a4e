"""Test that a job checks approvals itself, whatever the bot claims."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imker.clock import Timestamp
from imker.config import AcceptanceRules
from imker.protocol.commands import Accept, Approval, Request
from imker.protocol.events import DecisionRequested
from jobs.plan.approvals import find_approval_problem

ASKED_AT = Timestamp(1_000_000.0, "boot", 100.0)
QUESTION = DecisionRequested("accept", "f00d", asked_at=ASKED_AT, valid_seconds=1800.0)
ALICE, BOB, CAROL = "U01ALICE", "U02BOB", "U03CAROL"
ONE, TWO, OWN = AcceptanceRules(), AcceptanceRules(accept_count=2), AcceptanceRules(accept_own=True)
BOTH = AcceptanceRules(accept_count=2, accept_own=True)


def request(*people: str, fingerprint: str = "f00d") -> Request:
    return Request("r", 2, Accept("n"), ALICE, tuple(Approval(by, fingerprint, 0.0) for by in people))


def after(seconds: float, *, clock: float = 0.0, boot: str = "boot") -> Timestamp:
    """Return a later timestamp. `clock`: seconds by which the wall clock was changed meanwhile."""
    return Timestamp(ASKED_AT.unix + seconds + clock, boot, ASKED_AT.boot_seconds + seconds if boot == "boot" else 5.0)


@pytest.mark.parametrize(
    ("question", "rights", "people", "now", "reason"),
    [
        (QUESTION, ONE, (BOB,), after(60), ""),
        (QUESTION, ONE, (), after(60), "requires 1 different approvers; 0"),
        (QUESTION, ONE, (ALICE,), after(60), "the requester may not accept their own request"),
        (QUESTION, ONE, (BOB, ALICE), after(60), "the requester may not accept their own request"),
        (QUESTION, OWN, (ALICE,), after(60), ""),
        (QUESTION, TWO, (BOB,), after(60), "requires 2 different approvers; 1"),
        (QUESTION, TWO, (BOB, BOB), after(60), "requires 2 different approvers; 1"),
        (QUESTION, TWO, (BOB, CAROL), after(60), ""),
        (QUESTION, BOTH, (ALICE, BOB), after(60), ""),
        (QUESTION, BOTH, (ALICE, ALICE), after(60), "requires 2 different approvers; 1"),
        (None, ONE, (BOB,), after(60), "this run posed no question"),
        (replace(QUESTION, asked_at=None), ONE, (BOB,), after(60), "this run posed no question"),
        (QUESTION, ONE, (BOB,), after(1800), ""),
        (QUESTION, ONE, (BOB,), after(1802), "more than 30 minutes"),
        (QUESTION, ONE, (BOB,), after(60, clock=3600), ""),
        (QUESTION, ONE, (BOB,), after(1802, clock=-3600), "more than 30 minutes"),
        (QUESTION, ONE, (BOB,), after(60, boot="another"), ""),
        (QUESTION, ONE, (BOB,), after(1802, boot="another"), "more than 30 minutes"),
        (QUESTION, ONE, (BOB,), after(60, clock=-3600, boot="another"), "more than 30 minutes"),
        (replace(QUESTION, valid_seconds=10**6), ONE, (BOB,), after(1802), "more than 30 minutes"),
    ],
)
def test_checks_approvers_count_and_age(
    question: DecisionRequested | None, rights: AcceptanceRules, people: tuple[str, ...], now: Timestamp, reason: str
) -> None:
    problem = find_approval_problem(request(*people), question, "f00d", rights, now)
    assert reason in problem
    assert bool(problem) is bool(reason)


def test_rejects_approvals_of_another_state() -> None:
    assert "changed after the question" in find_approval_problem(request(BOB), QUESTION, "beef", ONE, after(1))
    mixed = replace(request(BOB, CAROL), approvals=(Approval(BOB, "f00d", 0.0), Approval(CAROL, "beef", 0.0)))
    assert "changed after the question" in find_approval_problem(mixed, QUESTION, "f00d", TWO, after(1))


@given(
    st.lists(st.sampled_from([ALICE, BOB, CAROL, "U04DAVE"]), max_size=5),
    st.integers(1, 3),
    st.booleans(),
    st.floats(-7200, 7200),
    st.floats(-7200, 7200),
    st.booleans(),
)
def test_no_clock_change_allows_too_few_or_late_approvals(
    people: list[str], count: int, accept_own: bool, seconds: float, clock: float, drifted: bool
) -> None:
    rights = AcceptanceRules(accept_own=accept_own, accept_count=count)
    fingerprint = "beef" if drifted else "f00d"
    is_accepted = (
        find_approval_problem(request(*people), QUESTION, fingerprint, rights, after(seconds, clock=clock)) == ""
    )
    expected = len(set(people)) >= count and (accept_own or ALICE not in people) and not drifted
    assert is_accepted <= (expected and -1 <= seconds <= 1801)
    assert is_accepted >= (expected and 0 <= seconds <= 1800)
