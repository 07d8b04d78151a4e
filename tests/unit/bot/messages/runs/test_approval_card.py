"""Test the approval card: observed and claimed values, approvals, deadline, and self-approval alerts."""

from dataclasses import replace

import pytest

from bot.messages.block_kit import TEXT_LIMIT, Message
from bot.messages.runs import run_message
from bot.records import Decision, RunRecord
from bot.state.run_state import fold
from imker.clock import Timestamp
from imker.protocol.commands import Migrate, StartContainers
from imker.protocol.event_log import EventLog
from imker.protocol.events import DecisionRequested, Event, JobStarted, Planned
from imker.protocol.next_command import NextCommand
from imker.protocol.values import Candidate, Quorum, StepLine

ASKED = Timestamp(1_795_440_000.0, "boot", 100.0)
CANDIDATE = Candidate("kaditz", "j8xsy2yb802b5ys0uvwhsouw1", "198.18.0.39", "KADITZ", "26.1.5")
WAITING = DecisionRequested(
    "accept", "f00d", CANDIDATE, Quorum(2, 0, 3, 1), "kaditz", asked_at=ASKED, valid_seconds=1800.0
)
RECORD = RunRecord("k3fm9x2q", Migrate("kaditz"), "migrate kaditz", "U01ALICE", "C01OPS", ASKED.unix)
BOBS = Decision(1, "accept", "U02BOB", ASKED.unix)


def render(record: RunRecord = RECORD, waiting: DecisionRequested = WAITING, after: float = 0.0) -> Message:
    events = (Event("k3fm9x2q", 1, 1, 0.0, JobStarted("kaditz")), Event("k3fm9x2q", 1, 2, 0.0, waiting))
    at = replace(ASKED, unix=ASKED.unix + after, boot_seconds=ASKED.boot_seconds + after)
    return run_message.render(fold(record, EventLog(tuple(events)), "finished", at.unix, at))


def card_text(record: RunRecord = RECORD, waiting: DecisionRequested = WAITING, after: float = 0.0) -> str:
    message = render(record, waiting, after)
    return f"{message.text}\n{message.blocks}"


@pytest.mark.parametrize(
    "expected",
    [
        "A manager sees node `j8xsy2yb802b5ys0uvwhsouw1` at 198.18.0.39.",
        "The node reports hostname KADITZ and Engine 26.1.5.",
        "Now 2 managers (survives no loss). Then 3 managers (survives the loss of 1).",
        f"Accept by <!date^{int(ASKED.unix) + 1800}^",
        "/swarm accept j8xsy2yb802b",
        "run.accept",
        "run.reject",
    ],
)
def test_separates_observed_from_claimed_values_and_names_the_deadline(expected: str) -> None:
    assert expected in card_text()


def test_shows_what_else_remains_with_its_command() -> None:
    start_web = NextCommand(StartContainers("kaditz", ("web",)), "start them")
    waiting = replace(WAITING, summary="Not running anymore: <web>.", next_commands=(start_web,))
    for text in (render(waiting=waiting).text, str(render(waiting=waiting).blocks)):
        assert "Not running anymore: &lt;web&gt;. To start them, type `/swarm start kaditz web`." in text


def test_counts_approvals() -> None:
    two = replace(WAITING, required_approvals=2)
    assert "different people" not in card_text()
    assert "Requires approval by 2 different people, 0 of 2 so far." in card_text(waiting=two)
    voted = card_text(replace(RECORD, partial_approvals=(BOBS,)), two)
    assert "1 of 2 so far: <@U02BOB>." in voted
    assert "run.accept" in voted, "the second person can still accept"


@pytest.mark.parametrize(("after", "is_open"), [(0, True), (1800, True), (1801, False), (10**6, False)])
def test_has_no_buttons_after_the_deadline(after: float, is_open: bool) -> None:
    card = card_text(after=after)
    assert ("run.accept" in card) is is_open
    assert ("To ask again, type `/swarm accept k3fm9x2q`" in card) is not is_open
    assert ("not accepted in time" in card) is not is_open


@pytest.mark.parametrize(
    ("ahead", "after", "is_open"),
    [(0, 60, True), (-59, 0, True), (-61, 0, False), (600, 60, True), (600, 1199, True), (600, 1201, False)],
)
def test_expires_by_the_clock_of_a_bot_on_another_machine_and_never_later(
    ahead: float, after: float, is_open: bool
) -> None:
    events = (Event("k3fm9x2q", 1, 1, 0.0, JobStarted("kaditz")), Event("k3fm9x2q", 1, 2, 0.0, WAITING))
    now = Timestamp(ASKED.unix + after + ahead, "another boot", 5.0)
    assert fold(RECORD, EventLog(tuple(events)), "finished", now.unix, now).expired is not is_open


def test_a_repeated_question_expected_why() -> None:
    again = replace(WAITING, approval_problem="the node or the swarm changed after this request was posted")
    assert "The node or the swarm changed after this request was posted. Nothing was done. Current state:" in card_text(
        waiting=again
    )


@pytest.mark.parametrize(("user", "has_alert"), [("U01ALICE", True), ("U02BOB", False)])
@pytest.mark.parametrize("field", ["partial_approvals", "decisions"])
def test_self_approval_raises_an_alert(user: str, has_alert: bool, field: str) -> None:
    record = replace(RECORD, **{field: (replace(BOBS, user=user),)})
    message = render(record)
    assert ("🚨 *Break-glass*: <@U01ALICE> accepted" in str(message.blocks)) is has_alert
    assert ("🚨 *Break-glass*: <@U01ALICE> accepted" in message.text) is has_alert


def test_the_text_contains_the_whole_card_however_long_the_rest_is() -> None:
    steps = Planned(tuple(StepLine(f"{number}", "A step with a long title " * 4) for number in range(40)))
    events = [
        Event("k3fm9x2q", 1, number, 0.0, body) for number, body in enumerate((JobStarted("kaditz"), steps, WAITING), 1)
    ]
    text = run_message.render(fold(RECORD, EventLog(tuple(events)), "finished", ASKED.unix, ASKED)).text
    for expected in (
        "j8xsy2yb802b5ys0uvwhsouw1",
        "198.18.0.39",
        "Then 3 managers (survives the loss of 1)",
        "Accept by <!date",
        "`/swarm reject",
    ):
        assert expected in text
    assert len(text) <= TEXT_LIMIT
