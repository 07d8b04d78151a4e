"""What pause, resume, cancel and retry mean, for every state a run or a fleet can be in."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.state.fleet_state import FleetState
from bot.state.run_control import DecideRun, Rejected, RunAction, SetHold, StartRun, resolve
from imker.protocol.commands import Command, ListHosts, ListNodes, Migrate, MigrateAll, PlanHost, StartContainers
from tests.support.fleet_states import ALL, FLEET, Word, build_fleet, host_plan, host_run
from tests.unit.bot.state.test_fleet_state import any_fleet

WORDS: tuple[RunAction, ...] = ("pause", "resume", "cancel", "retry")
# what each of pause, resume, cancel, retry is then: h(eld), the question's answer y(es) or n(o), s(tarted), - (no)
RUNS: list[tuple[Word, str]] = [
    ("queued", "h-h-"),
    ("running", "h-h-"),
    ("continue", "--n-"),
    ("resume", "-yn-"),
    ("accept", "--n-"),
    ("containers", "--n-"),
    ("done", "---s"),
    ("failed", "---s"),
    ("lost", "---s"),
    ("cancelled", "---s"),
    ("declined", "---s"),
]
FLEETS: list[tuple[tuple[Word, ...], bool, str, str]] = [
    (("pending", "pending"), False, "", "--n-"),  # planned, and not started
    (("pending", "pending"), True, "", "h-h-"),
    (("running", "pending"), True, "", "h-h-"),
    (("running", "pending"), True, "pause", "-hh-"),
    (("resume", "pending"), True, "pause", "-hh-"),
    (("running", "pending"), True, "resume", "h-h-"),
    (("running", "pending"), True, "cancel", "----"),
    (("done", "pending"), True, "cancel", "---s"),
    (("done", "failed"), True, "", "---s"),
    (("done", "done"), True, "", "---s"),
    (("accept", "done"), True, "", "h-h-"),
    (("accept", "failed"), True, "", "---s"),
]


def letter(view_word: object) -> str:
    match view_word:
        case SetHold():
            return "h"
        case DecideRun("continue"):
            return "y"
        case DecideRun("cancel"):
            return "n"
        case StartRun():
            return "s"
        case Rejected():
            return "-"
    raise AssertionError(view_word)


@pytest.mark.parametrize(("word", "expected"), RUNS)
def test_a_hosts_run(word: Word, expected: str) -> None:
    view = host_run("kaditz", word)
    assert "".join(letter(resolve(view, None, what)) for what in WORDS) == expected


@pytest.mark.parametrize(("words", "started", "hold", "expected"), FLEETS)
def test_a_fleets_run(words: tuple[Word, ...], started: bool, hold: str, expected: str) -> None:
    state_of_fleet = build_fleet(
        [(host_plan(f"h{n}", wave=n), word) for n, word in enumerate(words)], started=started, hold=hold
    )
    assert "".join(letter(resolve(state_of_fleet.run, state_of_fleet, what)) for what in WORDS) == expected


@pytest.mark.parametrize(
    ("command", "can_be_held"),
    [
        (Migrate("kaditz"), True),
        (StartContainers("kaditz", ("web",)), True),
        (MigrateAll(), True),
        (ListHosts(), False),
        (ListNodes(), False),
        (PlanHost("kaditz"), False),
    ],
)
def test_only_what_changes_something_can_be_held(command: Command, can_be_held: bool) -> None:
    view = host_run("kaditz", "running")
    reads = replace(view, record=replace(view.record, command=command))
    assert isinstance(resolve(reads, None, "pause"), SetHold) is can_be_held


def test_a_retry_is_the_same_command_again() -> None:
    assert resolve(host_run("kaditz", "lost"), None, "retry") == StartRun(Migrate("kaditz"), "migrate kaditz")
    state_of_fleet = build_fleet([(host_plan("a"), "failed")])
    assert resolve(state_of_fleet.run, state_of_fleet, "retry") == StartRun(MigrateAll(), "migrate all")


def test_the_words() -> None:
    going = host_run("kaditz", "running")
    assert resolve(going, None, "pause") == SetHold(
        "pause", "Run run-kaditz pauses after the step it is in. Go on: /swarm resume"
    )
    assert resolve(going, None, "resume") == Rejected("Run run-kaditz is not one to resume now.")
    assert resolve(going, None, "retry") == Rejected(
        "Run run-kaditz is not over yet. /swarm status run-kaditz shows it."
    )
    paused = build_fleet([(host_plan("a"), "resume")], hold="pause")
    assert resolve(paused.run, paused, "resume") == SetHold("resume", f"Run {FLEET} goes on.")


@given(any_fleet(), st.sampled_from(WORDS))
def test_what_is_going_on_is_never_begun_twice(state_of_fleet: FleetState, what: RunAction) -> None:
    if state_of_fleet.with_status("running") and state_of_fleet.start:
        assert not isinstance(resolve(state_of_fleet.run, state_of_fleet, what), StartRun)


@pytest.mark.parametrize("word", [word for word in ALL if word != "pending"])
def test_pause_and_resume_are_never_both_possible(word: Word) -> None:
    intended = [resolve(host_run("kaditz", word), None, what) for what in ("pause", "resume")]
    assert any(isinstance(item, Rejected) for item in intended)
