"""What the watch posts and resolves: stories look by look, and laws about any sequence of looks."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.watch.fold import start_again
from bot.watch.model import FLAPPING_SECONDS, MAX_NOTICES, WatchState
from tests.support.watch_looks import changes, fold

CASES = tomllib.loads((Path(__file__).parents[3] / "data/watch.toml").read_text())["case"]
SIGHTS = (
    "", "lausen Down", "miltitz Down, lausen Down", "tondi unreachable", "connewitz Down, tondi leads", "no manager",
    "web 1/3", "web 1/3, lausen Down", "lausen gone", "no swarm",
)  # fmt: skip
OWN = st.sampled_from(("", "", "lausen", "tondi"))
LOOK = st.tuples(st.sampled_from(SIGHTS), st.integers(1, 400), OWN, st.booleans())
FLAPPING_LOOK = st.tuples(st.sampled_from(("", "lausen Down, web 1/3")), st.integers(15, 60), OWN, st.just(False))
LOOKS = st.one_of(st.lists(LOOK, min_size=1, max_size=60), st.lists(FLAPPING_LOOK, min_size=20, max_size=60))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_story(case: dict[str, Any]) -> None:
    state = WatchState()
    for step in case["steps"]:
        before = state
        state = fold(before, step["sees"], step["at"], step.get("own", ""), step.get("muted", False))
        assert changes(before, state) == step.get("posts", []), step


@settings(max_examples=100, deadline=None)
@given(LOOKS)
def test_a_subject_has_at_most_two_messages_in_ten_minutes(looks: list[tuple[str, int, str, bool]]) -> None:
    state, now, times_by_subject = WatchState(), 0.0, dict[str, list[float]]()
    for sees, seconds, own_hosts, is_muted in looks:
        before, now = state, now + seconds
        state = fold(before, sees, now, own_hosts, is_muted)
        for text in changes(before, state):
            if text.startswith("post "):
                times_by_subject.setdefault(" ".join(text.split()[:3]), []).append(now)
    for times in times_by_subject.values():
        for at in times:
            assert sum(at <= other < at + FLAPPING_SECONDS for other in times) <= MAX_NOTICES


@settings(max_examples=60, deadline=None)
@given(LOOKS)
def test_the_first_look_is_silent_and_a_swarm_that_stays_as_it_is_too(looks: list[tuple[str, int, str, bool]]) -> None:
    sees = looks[0][0]
    state = fold(WatchState(), sees, 0.0)
    assert changes(WatchState(), state) == []
    for number in range(1, 5):
        before, state = state, fold(state, sees, number * 60.0)
        assert changes(before, state) == []


@settings(max_examples=60, deadline=None)
@given(LOOKS)
def test_what_was_posted_is_resolved_once_the_swarm_is_well(looks: list[tuple[str, int, str, bool]]) -> None:
    state, now = WatchState(), 0.0
    for sees, seconds, own_hosts, is_muted in looks:
        now += seconds
        state = fold(state, sees, now, own_hosts, is_muted)
    for _ in range(3):
        now += 60
        state = fold(state, "", now)
    reported = [incident for incident in state.incidents if incident.notices]
    assert all(incident.phase == "resolved" for incident in reported)


@settings(max_examples=60, deadline=None)
@given(LOOKS)
def test_the_state_does_not_grow(looks: list[tuple[str, int, str, bool]]) -> None:
    state, now = WatchState(), 0.0
    for sees, seconds, own_hosts, is_muted in looks * 3:
        now += seconds
        state = fold(state, sees, now, own_hosts, is_muted)
    assert len(state.incidents) <= 100 + len(SIGHTS)
    assert all(len(incident.notices) <= 2 + MAX_NOTICES for incident in state.incidents)
    assert len(state.leadership.changes) <= 12


def test_after_a_pause_the_first_look_is_silent_again_and_resolves_what_was_posted() -> None:
    state = fold(fold(fold(WatchState(), "", 0), "lausen Down", 60), "lausen Down", 80)
    paused = start_again(state)
    first = fold(paused, "miltitz Down", 3600)
    assert changes(paused, first) == []
    assert changes(first, fold(first, "miltitz Down", 3660)) == ["resolve node lausen"]
