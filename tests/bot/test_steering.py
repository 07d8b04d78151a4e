"""What pause, resume, cancel and retry mean, for every state a run or a fleet can be in."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.fleet import FleetView
from bot.steering import Answer, Holding, No, Start, Steering, steer
from jobs.contract import Command, Hosts, Migrate, MigrateAll, Nodes, PlanHost, StartContainers
from tests.bot.fleets import ALL, FLEET, Word, child, fleet, leg
from tests.bot.test_fleet import any_fleet

WORDS: tuple[Steering, ...] = ("pause", "resume", "cancel", "retry")
# what each of pause, resume, cancel, retry is then: h(eld), the question's answer y(es) or n(o), s(tarted), - (no)
RUNS: list[tuple[Word, str]] = [
    ("queued", "h-h-"),
    ("going", "h-h-"),
    ("continue", "--n-"),
    ("resume", "-yn-"),
    ("pending", "--n-"),
    ("containers", "--n-"),
    ("done", "---s"),
    ("failed", "---s"),
    ("lost", "---s"),
    ("cancelled", "---s"),
    ("declined", "---s"),
]
FLEETS: list[tuple[tuple[Word, ...], bool, str, str]] = [
    (("ahead", "ahead"), False, "", "--n-"),  # planned, and not started
    (("ahead", "ahead"), True, "", "h-h-"),
    (("going", "ahead"), True, "", "h-h-"),
    (("going", "ahead"), True, "pause", "-hh-"),
    (("resume", "ahead"), True, "pause", "-hh-"),
    (("going", "ahead"), True, "resume", "h-h-"),
    (("going", "ahead"), True, "cancel", "----"),
    (("done", "ahead"), True, "cancel", "---s"),
    (("done", "failed"), True, "", "---s"),
    (("done", "done"), True, "", "---s"),
    (("pending", "done"), True, "", "h-h-"),
    (("pending", "failed"), True, "", "---s"),
]


def letter(view_word: object) -> str:
    match view_word:
        case Holding():
            return "h"
        case Answer("continue"):
            return "y"
        case Answer("cancel"):
            return "n"
        case Start():
            return "s"
        case No():
            return "-"
    raise AssertionError(view_word)


@pytest.mark.parametrize(("word", "wanted"), RUNS)
def test_a_hosts_run(word: Word, wanted: str) -> None:
    view = child("kaditz", word)
    assert "".join(letter(steer(view, None, what)) for what in WORDS) == wanted


@pytest.mark.parametrize(("words", "started", "hold", "wanted"), FLEETS)
def test_a_fleets_run(words: tuple[Word, ...], started: bool, hold: str, wanted: str) -> None:
    whole = fleet([(leg(f"h{n}", wave=n), word) for n, word in enumerate(words)], started=started, hold=hold)
    assert "".join(letter(steer(whole.view, whole, what)) for what in WORDS) == wanted


@pytest.mark.parametrize(
    ("command", "held"),
    [
        (Migrate("kaditz"), True),
        (StartContainers("kaditz", ("web",)), True),
        (MigrateAll(), True),
        (Hosts(), False),
        (Nodes(), False),
        (PlanHost("kaditz"), False),
    ],
)
def test_only_what_changes_something_can_be_held(command: Command, held: bool) -> None:
    view = child("kaditz", "going")
    reads = replace(view, record=replace(view.record, command=command))
    assert isinstance(steer(reads, None, "pause"), Holding) is held


def test_a_retry_is_the_same_command_again() -> None:
    assert steer(child("kaditz", "lost"), None, "retry") == Start(Migrate("kaditz"), "migrate kaditz")
    whole = fleet([(leg("a"), "failed")])
    assert steer(whole.view, whole, "retry") == Start(MigrateAll(), "migrate all")


def test_the_words() -> None:
    going = child("kaditz", "going")
    assert steer(going, None, "pause") == Holding(
        "pause", "Run run-kaditz pauses after the step it is in. Go on: /swarm resume"
    )
    assert steer(going, None, "resume") == No("Run run-kaditz is not one to resume now.")
    assert steer(going, None, "retry") == No("Run run-kaditz is not over yet. /swarm status run-kaditz shows it.")
    paused = fleet([(leg("a"), "resume")], hold="pause")
    assert steer(paused.view, paused, "resume") == Holding("resume", f"Run {FLEET} goes on.")


@given(any_fleet(), st.sampled_from(WORDS))
def test_what_is_going_on_is_never_begun_twice(whole: FleetView, what: Steering) -> None:
    if whole.of("going") and whole.start:
        assert not isinstance(steer(whole.view, whole, what), Start)


@pytest.mark.parametrize("word", [word for word in ALL if word != "ahead"])
def test_pause_and_resume_are_never_both_possible(word: Word) -> None:
    meant = [steer(child("kaditz", word), None, what) for what in ("pause", "resume")]
    assert any(isinstance(one, No) for one in meant)
