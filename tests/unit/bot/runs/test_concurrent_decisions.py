"""Test concurrent decisions: the required approvals, by different people, and one result, in any order."""

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis import Redis

from bot.records import FINAL_CHOICES
from imker.protocol import commands
from tests.support.bot_harness import IDS, BotHarness, parse_settings_file
from tests.support.figures import record_figure

PEOPLE = ("alice", "bob", "carol", "dave", "erin")
FILE = parse_settings_file(f"""
[slack]
channels = ["C01OPS"]
[rights]
change = ["U01ALICE"]
accept = {[IDS[who] for who in PEOPLE]}
""")
OWN = FILE.model_copy(update={"rights": FILE.rights.model_copy(update={"accept_own": True})})
Word = Literal["accept", "reject"]
WORDS, AFTER = st.sampled_from(["accept", "reject", "cancel", "again"]), st.sampled_from([0, 1799, 1801, 10**6])
CASES = 10_000 if "FIGURES" in os.environ else 150


def run_concurrently(actions: Sequence[Callable[[], None]]) -> None:
    """Run each in its own thread, all starting at the same moment."""
    ready = threading.Barrier(len(actions))

    def begin(action: Callable[[], None]) -> None:
        ready.wait()
        action()

    with ThreadPoolExecutor(len(actions)) as pool:
        list(pool.map(begin, actions))


def check_decisions(bench: BotHarness, run: str, needed: int, accept_own: bool = False) -> None:
    """Check the rules that hold for every question, whatever the decisions on it."""
    snapshot = bench.runs.snapshot(run)
    assert snapshot is not None
    record = snapshot.record
    decisions = (*record.decisions, *record.partial_approvals)
    approvers = [decision.user for decision in decisions if decision.choice == "accept"]
    others = [decision for decision in decisions if decision.choice != "accept"]
    assert len(approvers) == len(set(approvers)) <= needed
    assert accept_own or IDS["alice"] not in approvers
    assert len(others) <= 1
    follow_ups = [request for request in bench.enqueued_requests().values() if request.job == 2]
    decided = (bool(others) and others[0].choice not in FINAL_CHOICES) or len(approvers) == needed
    assert len(follow_ups) == decided
    for request in follow_ups:
        assert isinstance(request.command, commands.Reject if others else commands.Accept)
        assert len(request.approvals) == (1 if others else needed)
    assert len(bench.decision_keys()) == len(decisions)


@pytest.mark.parametrize("needed", [1, 2])
@pytest.mark.parametrize("words", [("accept",), ("accept", "reject")])
def test_fifty_concurrent_clicks_make_one_decision(redis: Redis, needed: int, words: tuple[Word, ...]) -> None:
    for _ in range(10):
        redis.flushall()
        bench = BotHarness(redis, FILE)
        run = bench.create_run("pending", needed)
        clicks = [(who, word) for who in PEOPLE for word in words]
        fifty = [clicks[number % len(clicks)] for number in range(50)]
        run_concurrently([partial(bench.clicks, who, f"{run}:1", word) for who, word in fifty])
        check_decisions(bench, run, needed)
        decision_count = len(bench.decision_keys())
        assert len(bench.enqueued_requests()) == 2, "the question is decided"
        assert len(bench.replies) == 50 - decision_count, "everyone else gets a reply"


def test_fifty_clicks_of_one_person_count_as_one_approval(redis: Redis) -> None:
    bench = BotHarness(redis, FILE)
    run = bench.create_run("pending", 2)
    run_concurrently([lambda: bench.clicks("bob", f"{run}:1", "accept")] * 50)
    assert len(bench.decision_keys()) == 1
    assert len(bench.enqueued_requests()) == 1, "no job follows yet"
    assert {message.text for message in bench.replies} == {
        f"You already approved run `{run}`. It needs another approval from someone else."
    }


def test_fifty_deliveries_of_one_command_start_one_run(redis: Redis) -> None:
    bench = BotHarness(redis, FILE)
    run_concurrently([lambda: bench.types("alice", "migrate kaditz", delivery="the same")] * 50)
    assert len(bench.enqueued_requests()) == 1


@pytest.mark.figures
@pytest.mark.timeout(900 if "FIGURES" in os.environ else 120)
def test_never_accepts_with_too_few_or_repeated_or_late_approvals_in_any_order(redis: Redis) -> None:
    cases = []

    @settings(max_examples=CASES, deadline=None)
    @given(st.lists(st.tuples(st.sampled_from(PEOPLE), WORDS), max_size=8), st.integers(1, 3), st.booleans(), AFTER)
    def answer_all(words: list[tuple[str, Word]], needed: int, accept_own: bool, after: float) -> None:
        _check_answers(redis, words, needed, accept_own, after)
        cases.append(words)

    answer_all()
    record_figure("wrong acceptances, of generated cases", f"0 of {len(cases)}")


def _check_answers(redis: Redis, words: list[tuple[str, Word]], needed: int, accept_own: bool, after: float) -> None:
    redis.flushall()
    bench = BotHarness(redis, OWN if accept_own else FILE)
    run = bench.create_run("pending", needed)
    bench.advance_clock(after)
    for who, word in words:
        bench.clicks(who, f"{run}:1", word)
    snapshot = bench.runs.snapshot(run)
    assert snapshot is not None
    record = snapshot.record
    decisions = (*record.decisions, *record.partial_approvals)
    late = after > 1800
    assert not (late and any(decision.choice == "accept" for decision in decisions))
    assert late or not any(decision.choice == "again" for decision in decisions)
    if not any(decision.choice == "again" for decision in decisions):
        check_decisions(bench, run, needed, accept_own)
    assert len(bench.replies) + len(decisions) == len(words), "each click is a decision or gets a reply"
