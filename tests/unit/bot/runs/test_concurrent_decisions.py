"""However many answer at once, and in whatever order: as many yeses as it takes, of different people, and one end."""

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


def at_once(works: Sequence[Callable[[], None]]) -> None:
    """Each in a thread of its own, all held back until all are there."""
    ready = threading.Barrier(len(works))

    def begin(work: Callable[[], None]) -> None:
        ready.wait()
        work()

    with ThreadPoolExecutor(len(works)) as pool:
        list(pool.map(begin, works))


def holds(bench: BotHarness, run: str, needed: int, accept_own: bool = False) -> None:
    """What must be true of a question, whoever answered it and however."""
    record = bench.runs.record(run)
    assert record is not None
    approvals = (*record.decisions, *record.partial_approvals)
    yes = [decision.user for decision in approvals if decision.choice == "accept"]
    no = [decision for decision in approvals if decision.choice != "accept"]
    assert len(yes) == len(set(yes)) <= needed
    assert accept_own or IDS["alice"] not in yes
    assert len(no) <= 1
    follows = [request for request in bench.enqueued_requests().values() if request.job == 2]
    decided = (bool(no) and no[0].choice not in FINAL_CHOICES) or len(yes) == needed
    assert len(follows) == decided
    for request in follows:
        approvers = [approval.user for approval in request.approvals]
        assert isinstance(request.command, commands.Reject if no else commands.Accept)
        assert len(approvers) == (1 if no else needed)
    assert len(bench.decision_keys()) == len(approvals)


@pytest.mark.parametrize("needed", [1, 2])
@pytest.mark.parametrize("words", [("accept",), ("accept", "reject")])
def test_fifty_at_once_are_one_decision(redis: Redis, needed: int, words: tuple[Word, ...]) -> None:
    for _ in range(10):
        redis.flushall()
        bench = BotHarness(redis, FILE)
        run = bench.create_run("pending", needed)
        clicks = [(who, word) for who in PEOPLE for word in words]
        fifty = [clicks[number % len(clicks)] for number in range(50)]
        at_once([partial(bench.clicks, who, f"{run}:1", word) for who, word in fifty])
        holds(bench, run, needed)
        decision_count = len(bench.decision_keys())
        assert len(bench.enqueued_requests()) == 2, "all of them wanted it decided, so it is"
        assert len(bench.replies) == 50 - decision_count, "whoever did not decide is told"


def test_fifty_of_one_person_are_one_yes_of_two(redis: Redis) -> None:
    bench = BotHarness(redis, FILE)
    run = bench.create_run("pending", 2)
    at_once([lambda: bench.clicks("bob", f"{run}:1", "accept")] * 50)
    assert len(bench.decision_keys()) == 1
    assert len(bench.enqueued_requests()) == 1, "nothing follows yet"
    assert {message.text for message in bench.replies} == {
        f"You already approved run `{run}`. It needs another approval from someone else."
    }


def test_fifty_deliveries_of_one_command_are_one_run(redis: Redis) -> None:
    bench = BotHarness(redis, FILE)
    at_once([lambda: bench.types("alice", "migrate kaditz", delivery="the same")] * 50)
    assert len(bench.enqueued_requests()) == 1


@pytest.mark.figures
@pytest.mark.timeout(900 if "FIGURES" in os.environ else 120)
def test_in_any_order_never_too_few_never_the_same_twice_never_too_late(redis: Redis) -> None:
    run_ends = []

    @settings(max_examples=CASES, deadline=None)
    @given(st.lists(st.tuples(st.sampled_from(PEOPLE), WORDS), max_size=8), st.integers(1, 3), st.booleans(), AFTER)
    def answer_all(words: list[tuple[str, Word]], needed: int, accept_own: bool, after: float) -> None:
        _check_answers(redis, words, needed, accept_own, after)
        run_ends.append(words)

    answer_all()
    record_figure("wrong accepts, of cases in any order", f"0 of {len(run_ends)}")


def _check_answers(redis: Redis, words: list[tuple[str, Word]], needed: int, accept_own: bool, after: float) -> None:
    redis.flushall()
    bench = BotHarness(redis, OWN if accept_own else FILE)
    run = bench.create_run("pending", needed)
    bench.advance_clock(after)
    for who, word in words:
        bench.clicks(who, f"{run}:1", word)
    record = bench.runs.record(run)
    assert record is not None
    approvals = (*record.decisions, *record.partial_approvals)
    late = after > 1800
    assert not (late and any(decision.choice == "accept" for decision in approvals))
    assert late or not any(decision.choice == "again" for decision in approvals)
    if not any(decision.choice == "again" for decision in approvals):
        holds(bench, run, needed, accept_own)
    assert len(bench.replies) + len(approvals) == len(words), "each click is a decision, or is answered"
