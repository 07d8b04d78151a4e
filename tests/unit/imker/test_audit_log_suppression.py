"""Attacks on the audit log by a Redis user who wants one entry kept out of it."""

from collections.abc import Callable

import pytest
from redis import Redis

from bot.handlers.audit import AuditRecorder
from bot.records import Decision, RunRecord
from imker import audit_log, hash_chain
from imker.audit_log import AuditLog, AuditLogBroken
from imker.hash_chain import AuditFact, Head, verify
from imker.protocol.commands import Migrate

KEY = b"a key that only Imker has"
RECORD = RunRecord("k3fm9x2q", Migrate("kaditz"), "migrate kaditz", "U01ALICE", "C01OPS", 0.0)
DECISION = Decision(1, "accept", "U02BOB", 5.0)
ID = "audit:id:decided:k3fm9x2q:1:U02BOB:accept"
FACT = AuditFact("decided:k3fm9x2q:1:U02BOB:accept", "decided", "U02BOB", "C01OPS", "k3fm9x2q", "kaditz",
            {"verdict": "accept", "job": "1"})  # fmt: skip


def forge_entry(redis: Redis, key: bytes | None = None) -> None:
    """Add an entry of the same ID far behind the log's end, and point the ID at it."""
    forged = hash_chain.append_to(Head(899, "0" * 64), AuditFact(FACT.id, "decided", "U09EVE"), 1.0, key)
    redis.xadd(audit_log.STREAM_KEY, {"entry": hash_chain.encode_entry(forged)}, id="2-0")
    redis.set(ID, 2)


def forge_signature(redis: Redis) -> None:
    """Add the same fact, unsigned."""
    forged = hash_chain.append_to(AuditLog(redis).head(), FACT, 1.0, b"a guess")
    redis.xadd(audit_log.STREAM_KEY, {"entry": hash_chain.encode_entry(forged)}, id="2-0")
    redis.set(ID, 2)


IGNORED: dict[str, Callable[[Redis], object]] = {
    "an ID that points at another entry": lambda redis: redis.set(ID, 1),
    "an ID that points nowhere": lambda redis: redis.set(ID, 77),
    "an ID that is no number": lambda redis: redis.set(ID, "x"),
    "an ID that is a negative number": lambda redis: redis.set(ID, -1),
    "an ID beyond any stream": lambda redis: redis.set(ID, "9" * 40),
    "an empty ID": lambda redis: redis.set(ID, ""),
    "an ID that is a list": lambda redis: redis.rpush(ID, "1"),
    "an ID that is a hash": lambda redis: redis.hset(ID, "1", "1"),
    "an ID of bytes": lambda redis: redis.set(ID, b"\xff\x00"),
}  # fmt: skip


@pytest.mark.parametrize("attack", IGNORED.values(), ids=IGNORED)
def test_appends_despite_a_forged_id(redis: Redis, attack: Callable[[Redis], object]) -> None:
    record = AuditLog(redis, KEY)
    record.append(AuditFact("before", "asked"))
    attack(redis)
    for _ in range(2):
        AuditRecorder(record).decision(RECORD, DECISION)
    assert [entry.fact for entry in record.entries() if entry][1:] == [FACT]
    assert verify(record.entries(), key=KEY) == ()


LOUD: dict[str, Callable[[Redis], object]] = {
    "an ID that points at a forged entry": forge_entry,
    "an ID that points at an entry signed with another key": forge_signature,
    "the log is a string": lambda redis: (redis.delete(audit_log.STREAM_KEY), redis.set(audit_log.STREAM_KEY, "x")),
    "the head is a string": lambda redis: (redis.delete(audit_log.HEAD_KEY), redis.set(audit_log.HEAD_KEY, "x")),
    "the head has no number": lambda redis: redis.hset(audit_log.HEAD_KEY, "seq", "x"),
    "the head has no hash": lambda redis: redis.hdel(audit_log.HEAD_KEY, "hash"),
    "the head's hash is no text": lambda redis: redis.hset(audit_log.HEAD_KEY, "hash", b"\xff"),
    "the head's hash is short": lambda redis: redis.hset(audit_log.HEAD_KEY, "hash", "abc"),
    "the head's number is negative": lambda redis: redis.hset(audit_log.HEAD_KEY, "seq", -7),
    "the head's number is beyond a stream's": lambda redis: redis.hset(audit_log.HEAD_KEY, "seq", 2**64 - 1),
    "the head's number is beyond any": lambda redis: redis.hset(audit_log.HEAD_KEY, "seq", "9" * 5000),
    "the head is set back": lambda redis: redis.hset(audit_log.HEAD_KEY, "seq", 0),
    "the head is gone": lambda redis: redis.delete(audit_log.HEAD_KEY),
    "an entry with the highest number": lambda redis: redis.xadd(
        audit_log.STREAM_KEY, {"entry": "x"}, id=f"{2**64 - 1}-0"
    ),
}  # fmt: skip


@pytest.mark.parametrize("attack", LOUD.values(), ids=LOUD)
def test_reports_a_log_that_cannot_be_extended(redis: Redis, attack: Callable[[Redis], object]) -> None:
    record = AuditLog(redis, KEY)
    record.append(AuditFact("before", "asked"))
    attack(redis)
    with pytest.raises(AuditLogBroken):
        AuditRecorder(record).decision(RECORD, DECISION)


def test_verify_detects_a_head_with_a_wrong_number(redis: Redis) -> None:
    record = AuditLog(redis, KEY)
    record.append(AuditFact("before", "asked"))
    redis.hset(audit_log.HEAD_KEY, "seq", 41)
    record.append(FACT)
    assert "entries 2 to 41 are missing" in verify(record.entries(), key=KEY)[0].text


def test_recognizes_its_own_entry_after_a_lost_reply(redis: Redis) -> None:
    record = AuditLog(redis, KEY)
    assert [record.append(FACT), record.append(AuditFact("other", "asked")), record.append(FACT)] == [1, 2, 1]
