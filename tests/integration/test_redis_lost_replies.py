"""Lose the reply to each write that the Redis client repeats: it takes effect once and its writer recognizes it.

Covers the table in docs/reliability.md line by line.
"""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis

from bot.handlers.delivery import Delivery
from bot.listeners.inbox import Inbox
from bot.reconciler.leader_election import LeaderElection
from bot.records import Decision, RunRecord
from bot.runs import holds, queue
from bot.runs.decisions import DecisionStore
from bot.runs.lost_runs import LostRuns
from bot.runs.store import RunStore
from bot.state.next_request import next_request
from imker import redis_connection
from imker.audit_log import AuditLog
from imker.hash_chain import AuditFact, verify
from imker.protocol import codec
from imker.protocol.commands import Hold, Migrate, Request
from imker.protocol.events import JobStarted
from jobs import admission
from jobs.events.writer import EventWriter
from jobs.locking.lease import LockHolder, acquire_lock
from tests.support import streams
from tests.support.cutting_proxy import Cutter, cutting

KEY, NOW = streams.KEY, 1_795_440_000.0
ALICE = LockHolder("k3fm9x2q", "U01ALICE", "migrate kaditz", NOW)
RECORD = RunRecord(
    "k3fm9x2q", Migrate("kaditz"), "migrate kaditz", "U01ALICE", "C01OPS", NOW, allowed_hosts=("kaditz",)
)
YES = Decision(1, "accept", "U02BOB", NOW, "f00d")
TYPED = Delivery("command", "delivery", "U01ALICE", "C01OPS", "nodes", "", NOW - 60)


def runs(redis: Redis) -> RunStore:
    return RunStore(redis, lambda: NOW, KEY)


def request_admitted(redis: Redis) -> bool:
    request = Request("k3fm9x2q", 1, Migrate("kaditz"), "U01ALICE", allowed_hosts=("kaditz",), expires_at=NOW + 60)
    text = codec.encode_message(request)
    return admission.admit(text, KEY.sign(text), KEY, redis, NOW) == request


def event_emitted(redis: Redis) -> bool:
    EventWriter(redis, KEY, "k3fm9x2q", 1, lambda: NOW).emit(JobStarted("kaditz"))
    return [event.number for event in streams.read_events(redis, "k3fm9x2q")] in ([1], [1, 1])


def lock_acquired(redis: Redis) -> bool:
    with acquire_lock(redis, "swarm", ALICE) as lease:
        return not lease.lost.is_set()


def lock_renewed(redis: Redis) -> bool:
    with acquire_lock(redis, "swarm", ALICE, lease_seconds=30, renew_interval=0.05) as lease:
        time.sleep(0.5)
        return not lease.lost.is_set()


def token_raised(redis: Redis) -> bool:
    with acquire_lock(redis, "swarm", ALICE) as lease:
        return lease.raise_token_above(70) > 70


def lock_released(redis: Redis) -> bool:
    return lock_acquired(redis) and not redis.exists("lock:swarm")


def fact_appended(redis: Redis) -> bool:
    audit = AuditLog(redis)
    number = audit.append(AuditFact("asked:1", "asked"))
    return (number, len(list(audit.entries())), verify(audit.entries())) == (1, 1, ())


def job_enqueued(redis: Redis) -> bool:
    queue.enqueue(redis, next_request(RECORD, None), KEY)
    return redis.lrange("rq:queue:changes", 0, -1) == [b"k3fm9x2q-1"]


def run_started(redis: Redis) -> bool:
    runs(redis).start(RECORD)
    return runs(redis).record("k3fm9x2q") == RECORD and job_enqueued(redis)


def decision_saved(redis: Redis) -> bool:
    return DecisionStore(redis, KEY).write_once("k3fm9x2q", YES, 1) == YES


def run_paused(redis: Redis) -> bool:
    holds.add(redis, KEY, "k3fm9x2q", hold := Hold("pause", "U01ALICE", NOW))
    return holds.current(redis, KEY, ["k3fm9x2q"]) == {"k3fm9x2q": hold} and redis.zcard("run:k3fm9x2q:hold") == 1


def leader_elected(redis: Redis) -> bool:
    lease, deadline = LeaderElection(redis, over := threading.Event()), time.monotonic() + 6
    while not lease.is_leader() and time.monotonic() < deadline:
        time.sleep(0.05)
    over.set()
    return lease.is_leader()


def delivery_claimed(redis: Redis) -> bool:
    return runs(redis).claim_delivery("delivery") and not runs(redis).claim_delivery("delivery")


def delivery_saved(redis: Redis) -> bool:
    inbox = Inbox(redis, KEY, lambda: NOW)
    inbox.add(TYPED)
    return inbox.abandoned() == [TYPED]


def delivery_removed(redis: Redis) -> bool:
    inbox = Inbox(redis, KEY, lambda: NOW)
    inbox.add(TYPED)
    inbox.remove(TYPED)
    return inbox.abandoned() == []


def run_opened_and_closed(redis: Redis) -> bool:
    runs(redis).reopen("k3fm9x2q")
    opened = runs(redis).open_runs()
    runs(redis).close("k3fm9x2q")
    return (opened, runs(redis).open_runs()) == (["k3fm9x2q"], [])


def lost_run_added_and_removed(redis: Redis) -> bool:
    LostRuns(redis).add("k3fm9x2q", NOW)
    lost_runs = LostRuns(redis).all()
    LostRuns(redis).remove("k3fm9x2q")
    return (lost_runs, LostRuns(redis).all()) == ([("k3fm9x2q", NOW)], [])


WRITES: list[tuple[Callable[[Redis], bool], bytes]] = [
    (request_admitted, b"imker:consumed"), (event_emitted, b"xadd"), (event_emitted, b"expire"),
    (event_emitted, b"publish"), (lock_acquired, b"lock:swarm"), (lock_acquired, b"incr"), (lock_renewed, b"pexpire"),
    (token_raised, b"tonumber"), (lock_released, b"call('del'"), (fact_appended, b"audit:id"),
    (job_enqueued, b"rq:job:k3fm9x2q-1"), (job_enqueued, b"sadd"), (run_started, b"bot:run:k3fm9x2q\r\n$"),
    (run_started, b"bot:recent"), (run_started, b"bot:open"), (decision_saved, b":decision:"), (run_paused, b"zadd"),
    (leader_elected, b"bot:reconciler"), (delivery_claimed, b"bot:seen"), (delivery_saved, b"bot:inbox:"),
    (delivery_saved, b"sadd"), (delivery_removed, b"del"), (delivery_removed, b"srem"),
    (run_opened_and_closed, b"sadd"), (run_opened_and_closed, b"srem"), (lost_run_added_and_removed, b"zadd"),
    (lost_run_added_and_removed, b"zrem"),
]  # fmt: skip


@pytest.fixture
def cutter(redis: Redis) -> Iterator[Cutter]:
    with cutting(Path(redis.connection_pool.connection_kwargs["path"])) as proxy:
        yield proxy


@pytest.mark.parametrize(("write", "word"), WRITES, ids=lambda value: getattr(value, "__name__", None) or str(value))
def test_recognizes_its_own_write_after_a_lost_reply(
    redis: Redis, cutter: Cutter, write: Callable[[Redis], bool], word: bytes
) -> None:
    queue.enqueue(redis, next_request(RECORD, None), KEY)  # the server knows RQ's script from now on
    redis.delete("rq:queue:changes", "rq:job:k3fm9x2q-1")
    with redis_connection.connect(cutter.url) as client:
        cutter.cut_after(word)
        assert write(client)
    assert cutter.cuts == 1


def test_saves_a_posted_message_once(redis: Redis, cutter: Cutter) -> None:
    with redis_connection.connect(cutter.url) as client:
        cutter.cut_after(b"hset")
        runs(client).posted_messages.update("k3fm9x2q", ts="1", channel="C01OPS")
        assert runs(client).posted_messages.get("k3fm9x2q") == {"ts": "1", "channel": "C01OPS"}
    assert cutter.cuts == 1
