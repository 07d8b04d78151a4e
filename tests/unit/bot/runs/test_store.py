"""Test that values which others write to Redis are no runs, decisions, or holds."""

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
from tests.support.bot_harness import KEY, OPS, BotHarness, current_hold, parse_settings_file

RECORD = RunRecord("evilevil", Migrate("kaditz"), "migrate kaditz", "U01ALICE", OPS, 0.0, allowed_hosts=("*",))
FILE = parse_settings_file('[slack]\nchannels = ["C01OPS"]\n[rights]\naccept = ["U02BOB"]\nchange = ["U01ALICE"]')


@pytest.fixture
def bench(redis: Redis) -> BotHarness:
    return BotHarness(redis, FILE)


def store_with_other_key(redis: Redis) -> RunStore:
    """Return the store of an attacker who has the code but not the key."""
    return RunStore(redis, lambda: 0.0, SigningKey("x" * 64))


def test_ignores_a_run_signed_with_another_key(bench: BotHarness) -> None:
    store_with_other_key(bench.redis).start(RECORD)
    assert bench.runs.record("evilevil") is None
    assert bench.runs.recent(10) == []
    assert bench.redis.sismember(OPEN_RUNS_KEY, "evilevil"), "the reconciler will drop it"


def test_ignores_a_run_copied_to_another_id(bench: BotHarness) -> None:
    run = bench.create_run("pending")
    bench.redis.copy(f"bot:run:{run}", "bot:run:evilevil")
    assert bench.runs.record(run) is not None
    assert bench.runs.record("evilevil") is None


@pytest.mark.parametrize(
    "stored", [b"", b"{}", b"\xff", b" ", signing.sign_for(SigningKey("x" * 64), "bot:run:evilevil", "{}").encode()]
)
def test_ignores_an_invalid_record(bench: BotHarness, stored: bytes) -> None:
    bench.redis.set("bot:run:evilevil", stored)
    assert bench.runs.record("evilevil") is None


def test_rejects_a_forged_decision_and_enqueues_nothing(bench: BotHarness) -> None:
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
            bench.runs.snapshot(run)
        with pytest.raises(TamperedRecord):
            bench.runs.decide(record, Decision(1, "accept", "U02BOB", 2.0))
    assert list(bench.enqueued_requests()) == [f"{run}-1"]


def test_the_latest_requested_hold_counts_in_any_order_of_arrival(bench: BotHarness) -> None:
    run, pause, resume = bench.create_run("running"), Hold("pause", "U01ALICE", 10.0), Hold("resume", "U01ALICE", 20.0)
    for action in (pause, resume, pause):  # the third one was left by a crashed bot
        bench.runs.hold(run, action)
    assert current_hold(bench.runs, run) == resume


def test_audits_a_decision_once_after_a_bot_crashed_before_the_entry(
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
    ("first", "then", "expected"),
    [
        (0.0, 5.0, "cancel"),
        (5.0, 0.0, "resume"),  # delivered late: requested first
        (3600.0, 5.0, "cancel"),  # the clock was an hour ahead at the first request
        (-3600.0, 5.0, "cancel"),
    ],
)
def test_the_latest_hold_counts_after_a_clock_change(
    bench: BotHarness, first: float, then: float, expected: str
) -> None:
    run = bench.create_run("running")
    bench.runs.hold(run, Hold("resume", "U01ALICE", 1_795_440_000.0 + first))
    bench.runs.hold(run, Hold("cancel", "U01ALICE", 1_795_440_000.0 + then))
    hold = current_hold(bench.runs, run)
    assert hold
    assert hold.action == expected


@pytest.mark.parametrize("command", ["pause {run}", "pause"])
def test_confirms_and_audits_a_pause_once_after_a_bot_crashed(bench: BotHarness, command: str) -> None:
    run = bench.create_run("running")
    for _ in range(2):
        bench.types("alice", command.format(run=run), delivery="trigger.1")
    first, second = bench.replies
    assert "pauses after the current step" in first.text
    assert second == first
    assert [fact.kind for fact in bench.audit_facts() if fact.kind == "held"] == ["held"]


def test_drops_runs_older_than_the_retention_from_the_recent_runs(bench: BotHarness) -> None:
    """Without this, Redis would fill up."""
    bench.types("alice", "migrate kaditz")
    bench.advance_clock(RETENTION + 1)
    bench.types("alice", "migrate tondi")
    (run,) = bench.redis.zrange(RECENT_RUNS_KEY, 0, -1)
    record = bench.runs.record(run.decode())
    assert record
    assert record.command_text == "migrate tondi"
