"""What the bot keeps in Redis is its own: what others write there is no command, and no decision."""

import pytest
from redis import Redis

from bot.decisions import Forged
from bot.minutes import Minutes
from bot.record import KEPT, Decision, RunRecord
from bot.runs import OPEN, RECENT, Runs
from imker import signing
from imker.signing import Key
from jobs.contract import Hold, Migrate
from tests.bot.desk import KEY, OPS, Bench, configured

RECORD = RunRecord("evilevil", Migrate("kaditz"), "migrate kaditz", "U01ALICE", OPS, 0.0, within=("*",))
FILE = configured('[slack]\nchannels = ["C01OPS"]\n[rights]\naccept = ["U02BOB"]\nchange = ["U01ALICE"]')


@pytest.fixture
def bench(redis: Redis) -> Bench:
    return Bench(redis, FILE)


def mallorys(redis: Redis) -> Runs:
    """Who knows all of the code, and the key not."""
    return Runs(redis, lambda: 0.0, Key("x" * 64))


def test_a_run_that_somebody_wrote_into_redis_is_none(bench: Bench) -> None:
    mallorys(bench.redis).start(RECORD)
    assert bench.runs.record("evilevil") is None
    assert bench.runs.recent(10) == []
    assert bench.redis.sismember(OPEN, "evilevil"), "the reporter will see it, and let it go"


def test_nor_is_one_that_was_copied_to_another_name(bench: Bench) -> None:
    run = bench.run("pending")
    bench.redis.copy(f"bot:run:{run}", "bot:run:evilevil")
    assert bench.runs.record(run) is not None
    assert bench.runs.record("evilevil") is None


@pytest.mark.parametrize(
    "kept", [b"", b"{}", b"\xff", b" ", signing.seal(Key("x" * 64), "bot:run:evilevil", "{}").encode()]
)
def test_nor_anything_else_that_stands_there(bench: Bench, kept: bytes) -> None:
    bench.redis.set("bot:run:evilevil", kept)
    assert bench.runs.record("evilevil") is None


def test_a_decision_that_somebody_wrote_is_none_and_nothing_follows(bench: Bench) -> None:
    run = bench.run("pending")
    record = bench.runs.record(run)
    assert record is not None
    text = '{"job":1,"verdict":"accept","by":"U02BOB","at":1.0}'
    key = f"bot:run:{run}:decision:1"
    for forged in (text, signing.seal(Key("x" * 64), key, text), signing.seal(KEY, "bot:run:other:decision:1", text)):
        bench.redis.set(key, forged)
        with pytest.raises(Forged, match="was not written by Imker"):
            bench.runs.record(run)
        with pytest.raises(Forged):
            bench.runs.decide(record, Decision(1, "accept", "U02BOB", 2.0))
    assert list(bench.requests()) == [f"{run}-1"]


def test_of_several_words_on_a_run_the_last_one_said_counts_however_late_the_others_come(bench: Bench) -> None:
    run, pause, resume = bench.run("running"), Hold("pause", "U01ALICE", 10.0), Hold("resume", "U01ALICE", 20.0)
    for said in (pause, resume, pause):  # the third time it is one that a dead bot had not struck off
        bench.runs.hold(run, said)
    assert bench.runs.held(run) == resume


def test_a_decision_whose_bot_died_before_it_was_recorded_is_recorded_by_the_next(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = bench.run("pending")
    with monkeypatch.context() as dying:
        dying.setattr(Minutes, "decided", lambda *_: None)
        bench.clicks("bob", f"{run}:1", "accept")
    assert [fact.what for fact in bench.recorded()] == []
    for _ in range(2):
        bench.clicks("bob", f"{run}:1", "accept")
    assert [fact.what for fact in bench.recorded() if fact.what == "decided"] == ["decided"]
    assert len(bench.decisions()) == 1


@pytest.mark.parametrize(
    ("first", "then", "holds"),
    [
        (0.0, 5.0, "cancel"),
        (5.0, 0.0, "resume"),  # delivered late: it was said before
        (3600.0, 5.0, "cancel"),  # the clock was an hour ahead when somebody said the first
        (-3600.0, 5.0, "cancel"),
    ],
)
def test_the_newest_word_counts_whatever_the_clock_was_set_to(
    bench: Bench, first: float, then: float, holds: str
) -> None:
    run = bench.run("running")
    bench.runs.hold(run, Hold("resume", "U01ALICE", 1_795_440_000.0 + first))
    bench.runs.hold(run, Hold("cancel", "U01ALICE", 1_795_440_000.0 + then))
    held = bench.runs.held(run)
    assert held
    assert held.what == holds


@pytest.mark.parametrize("typed", ["pause {run}", "pause"])
def test_a_pause_whose_bot_died_over_it_is_answered_as_done_by_the_next(bench: Bench, typed: str) -> None:
    run = bench.run("running")
    for _ in range(2):
        bench.types("alice", typed.format(run=run), delivery="trigger.1")
    first, second = bench.heard
    assert "pauses after the step it is in" in first.text
    assert second == first
    assert [fact.what for fact in bench.recorded() if fact.what == "held"] == ["held"]


def test_the_list_of_the_last_runs_is_as_long_as_they_are_kept(bench: Bench) -> None:
    """A Redis that forgets nothing would fill up."""
    bench.types("alice", "migrate kaditz")
    bench.later(KEPT + 1)
    bench.types("alice", "migrate tondi")
    (left,) = bench.redis.zrange(RECENT, 0, -1)
    record = bench.runs.record(left.decode())
    assert record
    assert record.text == "migrate tondi"
