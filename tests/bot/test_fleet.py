"""What may begin next in a fleet, what a hold means for it, and how it ended: laws over any fleet, words of a few."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import fleet as fleets
from bot.fleet import FleetView, conclusion, next_legs, state, steered
from jobs.contract import Ended, Leg
from tests.bot.fleets import ALL, BOB, FLEET, Word, child, fleet, leg

WORDS = {
    "ahead": "ahead", "queued": "going", "going": "going", "continue": "asking", "resume": "asking",
    "pending": "pending", "done": "done", "nothing": "done", "containers": "done",
    "stop": "done", "store": "done", "kept": "done",
    "failed": "failed", "refused": "failed", "restored": "failed", "lost": "failed",
    "cancelled": "cancelled", "declined": "cancelled",
}  # fmt: skip


@pytest.mark.parametrize("word", ALL)
def test_how_a_hosts_own_run_counts(word: Word) -> None:
    (only,) = fleet([(leg("a"), word)]).legs
    assert only.state == WORDS[word]


def test_without_a_plan_there_is_no_fleet() -> None:
    assert fleets.fleet_of(child("a", "going"), {}, None) is None


# --- what begins ------------------------------------------------------------------------------------------------------


@st.composite
def plans(draw: st.DrawFn) -> list[Leg]:
    """Legs as jobs.fleet arranges them: waves in a row, of which only workers share one."""
    sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=5))
    return [
        leg(f"h{wave}-{n}", "worker" if size > 1 else "manager", wave)
        for wave, size in enumerate(sizes)
        for n in range(size)
    ]


@st.composite
def any_fleet(draw: st.DrawFn) -> FleetView:
    words = st.sampled_from(ALL)
    return fleet(
        [(one, draw(words)) for one in draw(plans())],
        started=draw(st.booleans()), hold=draw(st.sampled_from(["", "pause", "resume", "cancel"])),
        parallel=draw(st.integers(1, 3)),
    )  # fmt: skip


@given(any_fleet())
def test_what_begins_is_of_one_wave_after_all_before_it_settled_and_never_too_much(whole: FleetView) -> None:
    begins = next_legs(whole)
    if not begins:
        return
    assert whole.start
    assert not whole.held("pause")
    assert not whole.held("cancel")
    (wave,) = {one.wave for one in begins}
    assert all(one.state in ("done", "pending") for one in whole.legs if one.leg.wave < wave)
    assert all(one.state == "ahead" for one in whole.legs if one.leg in begins)
    busy = [one for one in whole.legs if one.state in ("going", "asking") and one.leg.wave == wave]
    assert len(busy) + len(begins) <= whole.planned.parallel
    assert not whole.of("failed", "cancelled")


@given(any_fleet())
def test_a_fleet_that_goes_on_never_stands_still(whole: FleetView) -> None:
    """Whoever says that it is going on has something that goes on, or begins it now."""
    if state(whole) == "going":
        assert next_legs(whole) or whole.of("going")


@given(plans(), st.integers(1, 3), st.sampled_from(["done", "pending", "containers"]), st.data())
def test_from_the_start_to_the_end_each_host_has_its_turn_managers_alone(
    legs: list[Leg], parallel: int, ends: Word, draw: st.DataObject
) -> None:
    words: dict[str, Word] = {one.host: "ahead" for one in legs}
    begun: list[str] = []
    while True:
        whole = fleet([(one, words[one.host]) for one in legs], parallel=parallel)
        begins = next_legs(whole)
        words |= {one.host: "going" for one in begins}
        begun += [one.host for one in begins]
        going = [one for one in legs if words[one.host] == "going"]
        if not going:
            break
        assert len(going) <= parallel
        assert len(going) == 1 or all(one.role == "worker" for one in going)
        words[draw.draw(st.sampled_from([one.host for one in going]))] = ends
    assert begun == [one.host for one in legs]
    assert state(whole) == ("pending" if ends == "pending" else "over")


@pytest.mark.parametrize("word", ["failed", "refused", "restored", "lost", "cancelled", "declined"])
def test_a_canary_that_does_not_get_there_stops_all_others(word: Word) -> None:
    whole = fleet([(leg("canary", "manager"), word), (leg("a", wave=1), "ahead"), (leg("b", wave=1), "ahead")])
    assert next_legs(whole) == ()
    assert state(whole) == "over"


BESIDE: tuple[Word, ...] = ("done", "failed", "going", "ahead")


def test_what_runs_beside_a_failure_runs_to_its_end() -> None:
    whole = fleet([(leg(word, wave=wave), word) for wave, word in zip((0, 1, 1, 1), BESIDE, strict=True)])
    assert (next_legs(whole), state(whole), conclusion(whole)) == ((), "going", None)


# --- holds ------------------------------------------------------------------------------------------------------------

HELD: tuple[Word, ...] = ("done", "resume", "continue", "ahead")
PAUSED = [(leg(word, wave=wave), word) for wave, word in enumerate(HELD)]


@pytest.mark.parametrize(("hold", "verdict"), [("resume", "continue"), ("cancel", "cancel")])
def test_the_fleets_word_answers_hosts_that_stopped_for_a_pause_and_no_other_question(hold: str, verdict: str) -> None:
    ((view, decision),) = steered(fleet(PAUSED, hold=hold))
    assert view.record.run == "run-resume"
    assert (decision.verdict, decision.by, decision.job) == (verdict, BOB, view.record.jobs)


@pytest.mark.parametrize("hold", ["", "pause"])
def test_as_long_as_nobody_says_go_on_nobody_is_answered_for(hold: str) -> None:
    assert steered(fleet(PAUSED, hold=hold)) == ()


AHEAD, DONE, PENDING, GOING, ASKS, FAILED = "ahead", "done", "pending", "going", "continue", "failed"
STATES: list[tuple[tuple[Word, ...], bool, str, str]] = [
    ((AHEAD, AHEAD), False, "", "asking"),
    ((AHEAD, AHEAD), True, "", "going"),
    ((AHEAD, AHEAD), True, "pause", "paused"),
    ((AHEAD, AHEAD), True, "resume", "going"),
    ((AHEAD, AHEAD), True, "cancel", "over"),
    ((GOING, AHEAD), True, "pause", "going"),
    ((GOING, AHEAD), True, "cancel", "going"),
    (("resume", AHEAD), True, "pause", "paused"),
    ((ASKS, AHEAD), True, "", "asking"),
    ((FAILED, GOING), True, "", "going"),
    ((FAILED, AHEAD), True, "", "over"),
    ((PENDING, AHEAD), True, "", "going"),
    ((PENDING, DONE), True, "", "pending"),
    ((PENDING, FAILED), True, "", "over"),
    ((PENDING, FAILED, AHEAD), True, "", "over"),
    ((PENDING, FAILED, GOING), True, "", "going"),
    ((PENDING, AHEAD), True, "cancel", "over"),
    ((DONE, DONE), True, "", "over"),
    ((DONE, DONE), True, "pause", "over"),
]


@pytest.mark.parametrize(("words", "started", "hold", "wanted"), STATES)
def test_how_a_fleet_stands(words: tuple[Word, ...], started: bool, hold: str, wanted: str) -> None:
    whole = fleet([(leg(f"h{n}", wave=n), word) for n, word in enumerate(words)], started=started, hold=hold)
    assert state(whole) == wanted


# --- its last word ----------------------------------------------------------------------------------------------------


@given(any_fleet())
def test_a_last_word_is_said_exactly_when_nothing_can_happen_any_more(whole: FleetView) -> None:
    if whole.start:
        assert (conclusion(whole) is not None) is (state(whole) == "over")


def test_all_moved() -> None:
    whole = fleet([(leg("m", "manager"), "done"), (leg("a", wave=1), "store"), (leg("b", wave=1), "containers")])
    assert conclusion(whole) == Ended("done", "3 hosts moved: 1 as managers, 2 as workers.")


@pytest.mark.parametrize(
    ("word", "outcome", "why"),
    [
        ("failed", "failed", "a: apt-get install failed"),
        ("lost", "failed", "a: RQ reports that its job failed"),
        ("cancelled", "cancelled", "a: cancelled"),
        ("declined", "cancelled", "a: cancelled"),
    ],
)
def test_what_stopped_it_who_is_in_and_who_was_not_begun(word: Word, outcome: str, why: str) -> None:
    whole = fleet([(leg("m", "manager"), "done"), (leg("a", wave=1), word), (leg("b", wave=2), "ahead")])
    again = f"/swarm retry {FLEET} goes on from what is true then."
    assert conclusion(whole) == Ended(outcome, why, "In the swarm: m. Not begun: b.", again)  # type: ignore[arg-type]


def test_cancelled_before_the_next_host() -> None:
    ended = conclusion(fleet([(leg("m", "manager"), "done"), (leg("b", wave=1), "ahead")], hold="cancel"))
    assert ended is not None
    assert (ended.outcome, ended.summary, ended.by) == ("cancelled", "cancelled", "U02BOB")


def test_a_failure_is_not_hidden_behind_managers_that_wait() -> None:
    whole = fleet([(leg("m", "manager"), "done"), (leg("n", "manager", 1), "pending"), (leg("b", wave=2), "failed")])
    ended = conclusion(whole)
    assert ended is not None
    assert (ended.outcome, ended.summary) == ("failed", "b: apt-get install failed")
    assert ended.state == "In the swarm: m. Waiting to be accepted: n. Not begun: none."


def test_a_plan_that_was_refused_ends_with_its_own_word() -> None:
    planned = fleet([(leg("a"), "ahead")], started=False)
    refused = Ended("refused", "not to be touched as it is: a")
    assert conclusion(replace(planned, view=replace(planned.view, state="over", ended=refused))) == refused
