"""The card: what is seen and what is claimed, who said yes, until when; and break-glass, aloud."""

from dataclasses import replace

import pytest

from bot.messages import run_message
from bot.messages.block_kit import TEXT_LIMIT, Message
from bot.records import Decision, RunRecord
from bot.state.run_state import fold
from imker.clock import Timestamp
from imker.protocol.commands import Migrate
from imker.protocol.event_log import EventLog
from imker.protocol.events import DecisionRequested, Event, JobStarted, Planned
from imker.protocol.values import Candidate, Quorum, StepLine

ASKED = Timestamp(1_795_440_000.0, "boot", 100.0)
CANDIDATE = Candidate("kaditz", "j8xsy2yb802b5ys0uvwhsouw1", "198.18.0.39", "KADITZ", "26.1.5")
WAITING = DecisionRequested(
    "accept", "f00d", CANDIDATE, Quorum(2, 0, 3, 1), "kaditz", asked_at=ASKED, valid_seconds=1800.0
)
RECORD = RunRecord("k3fm9x2q", Migrate("kaditz"), "migrate kaditz", "U01ALICE", "C01OPS", ASKED.unix)
BOBS = Decision(1, "accept", "U02BOB", ASKED.unix)


def rendered(record: RunRecord = RECORD, waiting: DecisionRequested = WAITING, after: float = 0.0) -> Message:
    events = (Event("k3fm9x2q", 1, 1, 0.0, JobStarted("kaditz")), Event("k3fm9x2q", 1, 2, 0.0, waiting))
    at = replace(ASKED, unix=ASKED.unix + after, boot_seconds=ASKED.boot_seconds + after)
    return run_message.render(fold(record, EventLog(tuple(events)), "over", at.unix, at))


def card_text(record: RunRecord = RECORD, waiting: DecisionRequested = WAITING, after: float = 0.0) -> str:
    message = rendered(record, waiting, after)
    return f"{message.text}\n{message.blocks}"


@pytest.mark.parametrize(
    "says",
    [
        "A manager sees node `j8xsy2yb802b5ys0uvwhsouw1` at 198.18.0.39.",
        "It calls itself KADITZ, with Engine 26.1.5.",
        "Now 2 managers: none may fail; then 3 managers: 1 may fail",
        f"Until <!date^{int(ASKED.unix) + 1800}^",
        "/swarm accept j8xsy2yb802b",
        "run.accept",
        "run.reject",
    ],
)
def test_the_card_tells_what_is_seen_from_what_is_claimed_and_until_when(says: str) -> None:
    assert says in card_text()


def test_it_counts_those_who_said_yes() -> None:
    two = replace(WAITING, required_approvals=2)
    assert "different people" not in card_text()
    assert "It takes 2 different people: 0 of 2 said yes." in card_text(waiting=two)
    voted = card_text(replace(RECORD, partial_approvals=(BOBS,)), two)
    assert "1 of 2 said yes: <@U02BOB>." in voted
    assert "run.accept" in voted, "the second one can still press it"


@pytest.mark.parametrize(("after", "open_still"), [(0, True), (1800, True), (1801, False), (10**6, False)])
def test_it_changes_when_the_time_is_over(after: float, open_still: bool) -> None:
    card = card_text(after=after)
    assert ("run.accept" in card) is open_still
    assert ("`/swarm accept k3fm9x2q` asks anew" in card) is not open_still
    assert ("not accepted in time" in card) is not open_still


@pytest.mark.parametrize(
    ("ahead", "after", "open_still"),
    [(0, 60, True), (-59, 0, True), (-61, 0, False), (600, 60, True), (600, 1199, True), (600, 1201, False)],
)
def test_a_bot_on_another_machine_shows_it_by_its_own_clock_and_never_longer(
    ahead: float, after: float, open_still: bool
) -> None:
    events = (Event("k3fm9x2q", 1, 1, 0.0, JobStarted("kaditz")), Event("k3fm9x2q", 1, 2, 0.0, WAITING))
    now = Timestamp(ASKED.unix + after + ahead, "another boot", 5.0)
    assert fold(RECORD, EventLog(tuple(events)), "over", now.unix, now).expired is not open_still


def test_a_question_posed_again_says_why() -> None:
    again = replace(WAITING, approval_problem="it is no longer as it was shown")
    assert "Not done: it is no longer as it was shown." in card_text(waiting=again)


@pytest.mark.parametrize(("by", "loud"), [("U01ALICE", True), ("U02BOB", False)])
@pytest.mark.parametrize("where", ["partial_approvals", "decisions"])
def test_break_glass_is_never_quiet(by: str, loud: bool, where: str) -> None:
    record = replace(RECORD, **{where: (replace(BOBS, user=by),)})
    message = rendered(record)
    assert ("🚨 *Break-glass*: <@U01ALICE> accepted" in str(message.blocks)) is loud
    assert ("🚨 *Break-glass*: <@U01ALICE> accepted" in message.text) is loud


def test_the_text_alone_says_all_that_the_card_does_however_long_the_rest_is() -> None:
    steps = Planned(tuple(StepLine(f"{number}", "A step with a long title " * 4) for number in range(40)))
    events = [
        Event("k3fm9x2q", 1, number, 0.0, body) for number, body in enumerate((JobStarted("kaditz"), steps, WAITING), 1)
    ]
    text = run_message.render(fold(RECORD, EventLog(tuple(events)), "over", ASKED.unix, ASKED)).text
    for says in (
        "j8xsy2yb802b5ys0uvwhsouw1",
        "198.18.0.39",
        "then 3 managers: 1 may fail",
        "Until <!date",
        "`/swarm reject",
    ):
        assert says in text
    assert len(text) <= TEXT_LIMIT
