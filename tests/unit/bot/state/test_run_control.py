"""Test what pause, resume, cancel, and retry mean, for every state of a run or a fleet."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.state.fleet_state import FleetState
from bot.state.run_control import DecideRun, Rejected, RunAction, SetHold, StartRun, resolve
from imker.protocol.commands import Command, ListHosts, ListNodes, Migrate, MigrateAll, PlanHost, StartContainers
from tests.support.fleet_states import ALL, FLEET, Word, build_fleet, host_plan, host_run
from tests.unit.bot.state.test_fleet_state import any_fleet

ACTIONS: tuple[RunAction, ...] = ("pause", "resume", "cancel", "retry")
# what pause, resume, cancel, and retry do: h(old), y(es) or n(o) to the question, s(tart a run), - (rejected)
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
    (("pending", "pending"), False, "", "--n-"),  # planned, not started
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


def letter(resolution: object) -> str:
    match resolution:
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
    raise AssertionError(resolution)


@pytest.mark.parametrize(("word", "expected"), RUNS)
def test_resolves_actions_on_a_run(word: Word, expected: str) -> None:
    view = host_run("kaditz", word)
    assert "".join(letter(resolve(view, None, action)) for action in ACTIONS) == expected


@pytest.mark.parametrize(("words", "started", "hold", "expected"), FLEETS)
def test_resolves_actions_on_a_fleet(words: tuple[Word, ...], started: bool, hold: str, expected: str) -> None:
    fleet = build_fleet(
        [(host_plan(f"h{n}", wave=n), word) for n, word in enumerate(words)], started=started, hold=hold
    )
    assert "".join(letter(resolve(fleet.run, fleet, action)) for action in ACTIONS) == expected


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
def test_only_runs_that_change_a_host_can_be_held(command: Command, can_be_held: bool) -> None:
    view = host_run("kaditz", "running")
    reads = replace(view, record=replace(view.record, command=command))
    assert isinstance(resolve(reads, None, "pause"), SetHold) is can_be_held


def test_retry_starts_the_same_command() -> None:
    assert resolve(host_run("kaditz", "lost"), None, "retry") == StartRun(Migrate("kaditz"), "migrate kaditz")
    fleet = build_fleet([(host_plan("a"), "failed")])
    assert resolve(fleet.run, fleet, "retry") == StartRun(MigrateAll(), "migrate all")


def test_replies() -> None:
    running = host_run("kaditz", "running")
    assert resolve(running, None, "pause") == SetHold(
        "pause",
        "Run `run-kaditz` pauses after the current step. To resume it, type `/swarm resume run-kaditz`.",
    )
    assert resolve(running, None, "resume") == Rejected(
        "Run `run-kaditz` can't be resumed: it is running. See `/swarm status run-kaditz`."
    )
    assert resolve(host_run("kaditz", "done"), None, "cancel") == Rejected(
        "Run `run-kaditz` can't be cancelled: it has finished. See `/swarm status run-kaditz`."
    )
    assert resolve(running, None, "retry") == Rejected(
        "Run `run-kaditz` hasn't finished yet. See `/swarm status run-kaditz`."
    )
    paused = build_fleet([(host_plan("a"), "resume")], hold="pause")
    assert resolve(paused.run, paused, "resume") == SetHold("resume", f"Run `{FLEET}` continues.")
    assert resolve(paused.run, paused, "pause") == Rejected(
        f"Run `{FLEET}` can't be paused: it is paused already. See `/swarm status {FLEET}`."
    )


@given(any_fleet(), st.sampled_from(ACTIONS))
def test_never_retries_a_running_fleet(fleet: FleetState, action: RunAction) -> None:
    if fleet.with_status("running") and fleet.start:
        assert not isinstance(resolve(fleet.run, fleet, action), StartRun)


@pytest.mark.parametrize("word", [word for word in ALL if word != "pending"])
def test_pause_and_resume_are_never_both_possible(word: Word) -> None:
    intended = [resolve(host_run("kaditz", word), None, action) for action in ("pause", "resume")]
    assert any(isinstance(item, Rejected) for item in intended)
