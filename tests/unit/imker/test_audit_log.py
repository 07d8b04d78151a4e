"""Append to the audit log in a real Redis: concurrent writers, repeats, and tampering."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from redis import Redis

from imker import audit_log, hash_chain
from imker.audit_log import AuditLog, AuditLogBroken
from imker.hash_chain import AuditFact, verify


def fact(name: str) -> AuditFact:
    return AuditFact(name, "asked", "U01ALICE", "C01OPS", "k3fm9x2q", details={"text": "hosts"})


def problems(record: AuditLog) -> list[str]:
    head = record.head()
    return [problem.text for problem in verify(record.entries(), [head] if head else [])]


def test_appends_in_order(redis: Redis) -> None:
    record = AuditLog(redis, clock=lambda: 5.0)
    assert [record.append(fact(name)) for name in ("a", "b", "c")] == [1, 2, 3]
    assert [entry.fact.id for entry in record.entries() if entry] == ["a", "b", "c"]
    assert [entry.fact.id for entry in record.newest_first()] == ["c", "b", "a"]
    assert problems(record) == []


def test_appends_a_repeated_fact_once(redis: Redis) -> None:
    record = AuditLog(redis)
    assert [record.append(fact(name)) for name in ("a", "b", "a", "a", "b", "c")] == [1, 2, 1, 1, 2, 3]
    assert redis.xlen(audit_log.STREAM_KEY) == 3
    assert problems(record) == []


def test_lost_reply_neither_forks_nor_duplicates(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """Send the command twice, as redis-py does after a lost reply, with another entry in between."""
    record, other = AuditLog(redis), AuditLog(redis)
    real, sent = redis.eval, []

    def twice(*arguments: object) -> object:
        real(*arguments)
        if not sent:
            sent.append(1)
            other.append(fact("between"))
        return real(*arguments)

    monkeypatch.setattr(redis, "eval", twice)
    assert record.append(fact("a")) == 1
    assert [entry.fact.id for entry in record.entries() if entry] == ["a", "between"]
    assert problems(record) == []


def test_threads_of_a_process_append_without_a_second_try(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_log, "TURN_TIMEOUT", 60.0)
    record, before = AuditLog(redis), evals(redis)
    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(lambda n: record.append(fact(f"f{n}")), range(40))) == list(range(1, 41))
    assert evals(redis) - before == 40


def evals(redis: Redis) -> int:
    return int(redis.info("commandstats").get("cmdstat_eval", {}).get("calls", 0))


def test_a_stuck_thread_stops_no_other(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_log, "TURN_TIMEOUT", 0.01)
    is_stuck, may_end = threading.Event(), threading.Event()

    def clock() -> float:
        if not is_stuck.is_set():
            is_stuck.set()
            assert may_end.wait(60)
        return 5.0

    record = AuditLog(redis, clock=clock)
    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(record.append, fact("late"))
        assert is_stuck.wait(60)
        assert record.append(fact("first")) == 1
        may_end.set()
        assert late.result(60) == 2
    assert problems(record) == []


def test_concurrent_writers_make_one_chain(redis: Redis) -> None:
    with ThreadPoolExecutor(12) as pool:
        numbers = list(pool.map(lambda n: AuditLog(redis, b"key").append(fact(f"f{n // 2}")), range(240)))
    assert sorted(set(numbers)) == list(range(1, 121))
    head = AuditLog(redis).head()
    assert head
    assert verify(AuditLog(redis).entries(), [head], b"key") == ()


def test_reads_every_entry_across_pages(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_log, "PAGE_SIZE", 3)
    record = AuditLog(redis)
    for number in range(10):
        record.append(fact(str(number)))
    assert problems(record) == []
    assert [entry.seq for entry in record.newest_first()] == list(range(10, 0, -1))


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (lambda redis: redis.xdel("audit", "3-0"), "entry 3 is missing"),
        (lambda redis: redis.xdel("audit", "5-0"), "the end is cut off: the latest hash in Redis shows entry 5"),
        (lambda redis: redis.xtrim("audit", maxlen=2, approximate=False), "entries 1 to 3 are missing"),
        (lambda redis: redis.delete("audit"), "the end is cut off"),
        (lambda redis: redis.xadd("audit", {"entry": "{}"}, id="6-0"), "what follows entry 5 is not an entry"),
        (lambda redis: redis.xadd("audit", {"other": "x"}, id="6-0"), "what follows entry 5 is not an entry"),
        (lambda redis: _edit(redis), "entry 5 was changed"),
    ],
)
def test_verify_detects_changes_in_redis(redis: Redis, harm: object, says: str) -> None:
    record = AuditLog(redis)
    for number in range(5):
        record.append(fact(str(number)))
    harm(redis)  # type: ignore[operator]
    assert says in problems(record)[0]


def _edit(redis: Redis) -> None:
    text = redis.xrange("audit", "5-0", "5-0")[0][1][b"entry"].decode()
    redis.xdel("audit", "5-0")
    redis.xadd("audit", {"entry": text.replace("U01ALICE", "U09EVE")}, id="5-1")


def test_reports_a_head_that_was_set_back(redis: Redis) -> None:
    record = AuditLog(redis)
    for name in ("a", "b", "c"):
        record.append(fact(name))
    redis.hset(audit_log.HEAD_KEY, mapping={"seq": 1, "hash": next(iter(record.entries())).hash})  # type: ignore[union-attr]
    with pytest.raises(AuditLogBroken, match="neither read nor extended"):
        record.append(fact("d"))


def test_reports_a_lost_head(redis: Redis) -> None:
    record = AuditLog(redis)
    record.append(fact("a"))
    redis.delete(audit_log.HEAD_KEY)
    with pytest.raises(AuditLogBroken):
        record.append(fact("b"))


def test_reads_the_key_from_the_environment() -> None:
    assert audit_log.read_audit_key({"IMKER_AUDIT_KEY": "k"}) == b"k"
    assert audit_log.read_audit_key({}) is None
    assert hash_chain.append_to(None, fact("a"), 1.0, audit_log.read_audit_key({})).mac == ""
