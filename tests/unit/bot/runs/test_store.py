"""What the bot keeps in Redis is its own: what others write there is no command, and no decision."""

import pytest
from redis import Redis

from bot.handlers.audit import AuditRecorder
from bot.records import RETENTION, Decision, RunRecord
from bot.runs.decisions import TamperedRecord
from bot.runs.record_store import OPEN_RUNS_KEY, RECENT_RUNS_KEY
from bot.runs.store import RunStore
from imker import signing
from imker.protocol.commands import Hold, Migrate
from imker.signing import SigningKey
from tests.support.bot_harness import KEY, OPS, BotHarness, parse_settings_file

RECORD = RunRecord("evilevil", Migrate("kaditz"), "migrate kaditz", "U01ALICE", OPS, 0.0, allowed_hosts=("*",))
FILE = parse_settings_file('[slack]\nchannels = ["C01OPS"]\n[rights]\naccept = ["U02BOB"]\nchange = ["U01ALICE"]')


@pytest.fixture
def bench(redis: Redis) -> BotHarness:
    return BotHarness(redis, FILE)


def mallorys(redis: Redis) -> RunStore:
    """Who knows all of the code, and the key not."""
    return RunStore(redis, lambda: 0.0, SigningKey("x" * 64))


def test_a_run_that_somebody_wrote_into_redis_is_none(bench: BotHarness) -> None:
    mallorys(bench.redis).start(RECORD)
    assert bench.runs.record("evilevil") is None
    assert bench.runs.recent(10) == []
    assert bench.redis.sismember(OPEN_RUNS_KEY, "evilevil"), "the reconciler will see it, and let it go"


def test_nor_is_one_that_was_copied_to_another_name(bench: BotHarness) -> None:
    run = bench.create_run("pending")
    bench.redis.copy(f"bot:run:{run}", "bot:run:evilevil")
    assert bench.runs.record(run) is not None
    assert bench.runs.record("evilevil") is None


@pytest.mark.parametrize(
    "stored", [b"", b"{}", b"\xff", b" ", signing.sign_for(SigningKey("x" * 64), "bot:run:evilevil", "{}").encode()]
)
def test_nor_anything_else_that_stands_there(bench: BotHarness, stored: bytes) -> None:
    bench.redis.set("bot:run:evilevil", stored)
    assert bench.runs.record("evilevil") is None


def test_a_decision_that_somebody_wrote_is_none_and_nothing_follows(bench: BotHarness) -> None:
    run = bench.create_run("pending")
    record = bench.runs.record(run)
    assert record is not None
    text = '{"job":1,"choice":"accept","user":"U02BOB","decided_at":1.0}'
    key = f"bot:run:{run}:decision:1"
    for forged in (
        text,
        signing.sign_for(SigningKey("x" * 64), key, text),
        signing.sign_for(KEY, "bot:run:other:decision:1", text),
    ):
        bench.redis.set(key, forged)
        with pytest.raises(TamperedRecord, match="has an invalid signature"):
            bench.runs.record(run)
        with pytest.raises(TamperedRecord):
            bench.runs.decide(record, Decision(1, "accept", "U02BOB", 2.0))
    assert list(bench.enqueued_requests()) == [f"{run}-1"]


def test_of_several_words_on_a_run_the_last_one_said_counts_however_late_the_others_come(bench: BotHarness) -> None:
    run, pause, resume = bench.create_run("running"), Hold("pause", "U01ALICE", 10.0), Hold("resume", "U01ALICE", 20.0)
    for action in (pause, resume, pause):  # the third time it is one that a dead bot had not struck off
        bench.runs.hold(run, action)
    assert bench.runs.current_hold(run) == resume


def test_a_decision_whose_bot_died_before_it_was_recorded_is_recorded_by_the_next(
    bench: BotHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = bench.create_run("pending")
    with monkeypatch.context() as dying:
        dying.setattr(AuditRecorder, "decision", lambda *_: None)
        bench.clicks("bob", f"{run}:1", "accept")
    assert [fact.kind for fact in bench.audit_facts()] == []
    for _ in range(2):
        bench.clicks("bob", f"{run}:1", "accept")
    assert [fact.kind for fact in bench.audit_facts() if fact.kind == "decided"] == ["decided"]
    assert len(bench.decision_keys()) == 1


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
    bench: BotHarness, first: float, then: float, holds: str
) -> None:
    run = bench.create_run("running")
    bench.runs.hold(run, Hold("resume", "U01ALICE", 1_795_440_000.0 + first))
    bench.runs.hold(run, Hold("cancel", "U01ALICE", 1_795_440_000.0 + then))
    hold = bench.runs.current_hold(run)
    assert hold
    assert hold.action == holds


@pytest.mark.parametrize("command", ["pause {run}", "pause"])
def test_a_pause_whose_bot_died_over_it_is_answered_as_done_by_the_next(bench: BotHarness, command: str) -> None:
    run = bench.create_run("running")
    for _ in range(2):
        bench.types("alice", command.format(run=run), delivery="trigger.1")
    first, second = bench.replies
    assert "pauses after the current step" in first.text
    assert second == first
    assert [fact.kind for fact in bench.audit_facts() if fact.kind == "held"] == ["held"]


def test_the_list_of_the_last_runs_is_as_long_as_they_are_kept(bench: BotHarness) -> None:
    """A Redis that forgets nothing would fill up."""
    bench.types("alice", "migrate kaditz")
    bench.advance_clock(RETENTION + 1)
    bench.types("alice", "migrate tondi")
    (left,) = bench.redis.zrange(RECENT_RUNS_KEY, 0, -1)
    record = bench.runs.record(left.decode())
    assert record
    assert record.command_text == "migrate tondi"
