"""What may begin next in a fleet, what a hold means for it, and how it ended: laws over any fleet, words of a few."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.state import fleet_state as fleets
from bot.state.fleet_state import FleetState, decisions_from_hold, fleet_status, hosts_to_start, outcome
from imker.protocol.events import JobFinished
from imker.protocol.values import HostPlan
from tests.support.fleet_states import ALL, BOB, FLEET, Word, build_fleet, host_plan, host_run

WORDS = {
    "pending": "pending", "queued": "running", "running": "running", "continue": "asking", "resume": "asking",
    "accept": "accept", "done": "done", "nothing": "done", "containers": "done",
    "stop": "done", "store": "done", "kept": "done",
    "failed": "failed", "refused": "failed", "restored": "failed", "lost": "failed",
    "cancelled": "cancelled", "declined": "cancelled",
}  # fmt: skip


@pytest.mark.parametrize("word", ALL)
def test_how_a_hosts_own_run_counts(word: Word) -> None:
    (only,) = build_fleet([(host_plan("a"), word)]).hosts
    assert only.status == WORDS[word]


def test_without_a_plan_there_is_no_fleet() -> None:
    assert fleets.fold_fleet(host_run("a", "running"), {}, None) is None


# --- what begins ------------------------------------------------------------------------------------------------------


@st.composite
def plans(draw: st.DrawFn) -> list[HostPlan]:
    """Legs as jobs.fleet arranges them: waves in a row, of which only workers share one."""
    sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=5))
    return [
        host_plan(f"h{wave}-{n}", "worker" if size > 1 else "manager", wave)
        for wave, size in enumerate(sizes)
        for n in range(size)
    ]


@st.composite
def any_fleet(draw: st.DrawFn) -> FleetState:
    words = st.sampled_from(ALL)
    return build_fleet(
        [(item, draw(words)) for item in draw(plans())],
        started=draw(st.booleans()), hold=draw(st.sampled_from(["", "pause", "resume", "cancel"])),
        parallel=draw(st.integers(1, 3)),
    )  # fmt: skip


@given(any_fleet())
def test_what_begins_is_of_one_wave_after_all_before_it_settled_and_never_too_much(state_of_fleet: FleetState) -> None:
    begins = hosts_to_start(state_of_fleet)
    if not begins:
        return
    assert state_of_fleet.start
    assert not state_of_fleet.is_held("pause")
    assert not state_of_fleet.is_held("cancel")
    (wave,) = {begin.wave for begin in begins}
    assert all(begin.status in ("done", "accept") for begin in state_of_fleet.hosts if begin.plan.wave < wave)
    assert all(begin.status == "pending" for begin in state_of_fleet.hosts if begin.plan in begins)
    busy = [begin for begin in state_of_fleet.hosts if begin.status in ("running", "asking") and begin.plan.wave == wave]
    assert len(busy) + len(begins) <= state_of_fleet.plan.parallel
    assert not state_of_fleet.with_status("failed", "cancelled")


@given(any_fleet())
def test_a_fleet_that_goes_on_never_stands_still(state_of_fleet: FleetState) -> None:
    """Whoever says that it is going on has something that goes on, or begins it now."""
    if fleet_status(state_of_fleet) == "running":
        assert hosts_to_start(state_of_fleet) or state_of_fleet.with_status("running")


@given(plans(), st.integers(1, 3), st.sampled_from(["done", "accept", "containers"]), st.data())
def test_from_the_start_to_the_end_each_host_has_its_turn_managers_alone(
    legs: list[HostPlan], parallel: int, ends: Word, draw: st.DataObject
) -> None:
    words: dict[str, Word] = {leg.host: "pending" for leg in legs}
    started: list[str] = []
    while True:
        state_of_fleet = build_fleet([(leg, words[leg.host]) for leg in legs], parallel=parallel)
        begins = hosts_to_start(state_of_fleet)
        words |= {leg.host: "running" for leg in begins}
        started += [leg.host for leg in begins]
        going = [leg for leg in legs if words[leg.host] == "running"]
        if not going:
            break
        assert len(going) <= parallel
        assert len(going) == 1 or all(leg.role == "worker" for leg in going)
        words[draw.draw(st.sampled_from([leg.host for leg in going]))] = ends
    assert started == [leg.host for leg in legs]
    assert fleet_status(state_of_fleet) == ("accept" if ends == "accept" else "finished")


@pytest.mark.parametrize("word", ["failed", "refused", "restored", "lost", "cancelled", "declined"])
def test_a_canary_that_does_not_get_there_stops_all_others(word: Word) -> None:
    state_of_fleet = build_fleet(
        [(host_plan("canary", "manager"), word), (host_plan("a", wave=1), "pending"), (host_plan("b", wave=1), "pending")]
    )
    assert hosts_to_start(state_of_fleet) == ()
    assert fleet_status(state_of_fleet) == "finished"


BESIDE: tuple[Word, ...] = ("done", "failed", "running", "pending")


def test_what_runs_beside_a_failure_runs_to_its_end() -> None:
    state_of_fleet = build_fleet(
        [(host_plan(word, wave=wave), word) for wave, word in zip((0, 1, 1, 1), BESIDE, strict=True)]
    )
    assert (hosts_to_start(state_of_fleet), fleet_status(state_of_fleet), outcome(state_of_fleet)) == (
        (),
        "running",
        None,
    )


# --- holds ------------------------------------------------------------------------------------------------------------

HELD: tuple[Word, ...] = ("done", "resume", "continue", "pending")
PAUSED = [(host_plan(word, wave=wave), word) for wave, word in enumerate(HELD)]


@pytest.mark.parametrize(("hold", "verdict"), [("resume", "continue"), ("cancel", "cancel")])
def test_the_fleets_word_answers_hosts_that_stopped_for_a_pause_and_no_other_question(hold: str, verdict: str) -> None:
    ((view, decision),) = decisions_from_hold(build_fleet(PAUSED, hold=hold))
    assert view.record.run == "run-resume"
    assert (decision.choice, decision.user, decision.job) == (verdict, BOB, view.record.job_count)


@pytest.mark.parametrize("hold", ["", "pause"])
def test_as_long_as_nobody_says_go_on_nobody_is_answered_for(hold: str) -> None:
    assert decisions_from_hold(build_fleet(PAUSED, hold=hold)) == ()


AHEAD, DONE, PENDING, GOING, ASKS, FAILED = "pending", "done", "accept", "running", "continue", "failed"
STATES: list[tuple[tuple[Word, ...], bool, str, str]] = [
    ((AHEAD, AHEAD), False, "", "asking"),
    ((AHEAD, AHEAD), True, "", "running"),
    ((AHEAD, AHEAD), True, "pause", "paused"),
    ((AHEAD, AHEAD), True, "resume", "running"),
    ((AHEAD, AHEAD), True, "cancel", "finished"),
    ((GOING, AHEAD), True, "pause", "running"),
    ((GOING, AHEAD), True, "cancel", "running"),
    (("resume", AHEAD), True, "pause", "paused"),
    ((ASKS, AHEAD), True, "", "asking"),
    ((FAILED, GOING), True, "", "running"),
    ((FAILED, AHEAD), True, "", "finished"),
    ((PENDING, AHEAD), True, "", "running"),
    ((PENDING, DONE), True, "", "accept"),
    ((PENDING, FAILED), True, "", "finished"),
    ((PENDING, FAILED, AHEAD), True, "", "finished"),
    ((PENDING, FAILED, GOING), True, "", "running"),
    ((PENDING, AHEAD), True, "cancel", "finished"),
    ((DONE, DONE), True, "", "finished"),
    ((DONE, DONE), True, "pause", "finished"),
]


@pytest.mark.parametrize(("words", "started", "hold", "expected"), STATES)
def test_how_a_fleet_stands(words: tuple[Word, ...], started: bool, hold: str, expected: str) -> None:
    state_of_fleet = build_fleet(
        [(host_plan(f"h{n}", wave=n), word) for n, word in enumerate(words)], started=started, hold=hold
    )
    assert fleet_status(state_of_fleet) == expected


# --- its last word ----------------------------------------------------------------------------------------------------


@given(any_fleet())
def test_a_last_word_is_said_exactly_when_nothing_can_happen_any_more(state_of_fleet: FleetState) -> None:
    if state_of_fleet.start:
        assert (outcome(state_of_fleet) is not None) is (fleet_status(state_of_fleet) == "finished")


def test_all_moved() -> None:
    state_of_fleet = build_fleet(
        [(host_plan("m", "manager"), "done"), (host_plan("a", wave=1), "store"), (host_plan("b", wave=1), "containers")]
    )
    assert outcome(state_of_fleet) == JobFinished("done", "3 hosts moved: 1 as managers, 2 as workers.")


@pytest.mark.parametrize(
    ("word", "expected_outcome", "why"),
    [
        ("failed", "failed", "a: apt-get install failed"),
        ("lost", "failed", "a: RQ reports that its job failed"),
        ("cancelled", "cancelled", "a: cancelled"),
        ("declined", "cancelled", "a: cancelled"),
    ],
)
def test_what_stopped_it_who_is_in_and_who_was_not_begun(word: Word, expected_outcome: str, why: str) -> None:
    state_of_fleet = build_fleet(
        [(host_plan("m", "manager"), "done"), (host_plan("a", wave=1), word), (host_plan("b", wave=2), "pending")]
    )
    again = f"/swarm retry {FLEET} goes on from what is true then."
    assert outcome(state_of_fleet) == JobFinished(expected_outcome, why, "In the swarm: m. Not begun: b.", again)  # type: ignore[arg-type]


def test_cancelled_before_the_next_host() -> None:
    ended = outcome(
        build_fleet([(host_plan("m", "manager"), "done"), (host_plan("b", wave=1), "pending")], hold="cancel")
    )
    assert ended is not None
    assert (ended.outcome, ended.summary, ended.user) == ("cancelled", "cancelled", "U02BOB")


def test_a_failure_is_not_hidden_behind_managers_that_wait() -> None:
    state_of_fleet = build_fleet(
        [
            (host_plan("m", "manager"), "done"),
            (host_plan("n", "manager", 1), "accept"),
            (host_plan("b", wave=2), "failed"),
        ]
    )
    ended = outcome(state_of_fleet)
    assert ended is not None
    assert (ended.outcome, ended.summary) == ("failed", "b: apt-get install failed")
    assert ended.state == "In the swarm: m. Waiting to be accepted: n. Not begun: none."


def test_a_plan_that_was_refused_ends_with_its_own_word() -> None:
    before_start = build_fleet([(host_plan("a"), "pending")], started=False)
    refused = JobFinished("refused", "not to be touched as it is: a")
    assert outcome(replace(before_start, run=replace(before_start.run, status="finished", outcome=refused))) == refused
