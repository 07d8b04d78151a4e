"""Each write that the client repeats when its reply is lost: done once, and known by its writer as its own.

The table of docs/reliability.md, line by line.
"""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis

from bot import holds, queue
from bot.decisions import Decisions
from bot.inbox import Delivery, Inbox
from bot.lease import Lease
from bot.lost import Lost
from bot.record import Decision, RunRecord
from bot.request import request_of
from bot.runs import Runs
from imker import broker
from imker.audit import Audit
from imker.chain import Fact, verify
from jobs import contract, gate
from jobs.contract import Began, Hold, Migrate, Request
from jobs.journal import Journal
from jobs.lock import Holder, held
from tests import streams
from tests.flow.cutting import Cutter, cutting

KEY, NOW = streams.KEY, 1_795_440_000.0
ALICE = Holder("k3fm9x2q", "U01ALICE", "migrate kaditz", NOW)
RECORD = RunRecord("k3fm9x2q", Migrate("kaditz"), "migrate kaditz", "U01ALICE", "C01OPS", NOW, within=("kaditz",))
YES = Decision(1, "accept", "U02BOB", NOW, "f00d")
TYPED = Delivery("command", "delivery", "U01ALICE", "C01OPS", "nodes", "", NOW - 60)


def runs(redis: Redis) -> Runs:
    return Runs(redis, lambda: NOW, KEY)


def taken_up(redis: Redis) -> bool:
    request = Request("k3fm9x2q", 1, Migrate("kaditz"), "U01ALICE", within=("kaditz",), expires=NOW + 60)
    text = contract.encode(request)
    return gate.admit(text, KEY.sign(text), KEY, redis, NOW) == request


def told(redis: Redis) -> bool:
    Journal(redis, KEY, "k3fm9x2q", 1, lambda: NOW).tell(Began("kaditz"))
    return [event.number for event in streams.events(redis, "k3fm9x2q")] in ([1], [1, 1])


def locked(redis: Redis) -> bool:
    with held(redis, "swarm", ALICE) as lease:
        return not lease.lost.is_set()


def renewed(redis: Redis) -> bool:
    with held(redis, "swarm", ALICE, lease=30, renew=0.05) as lease:
        time.sleep(0.5)
        return not lease.lost.is_set()


def counted_on(redis: Redis) -> bool:
    with held(redis, "swarm", ALICE) as lease:
        return lease.above(70) > 70


def free_again(redis: Redis) -> bool:
    return locked(redis) and not redis.exists("lock:swarm")


def recorded(redis: Redis) -> bool:
    audit = Audit(redis)
    number = audit.append(Fact("asked:1", "asked"))
    return (number, len(list(audit.entries())), verify(audit.entries())) == (1, 1, ())


def enqueued(redis: Redis) -> bool:
    queue.enqueue(redis, request_of(RECORD, None), KEY)
    return redis.lrange("rq:queue:changes", 0, -1) == [b"k3fm9x2q-1"]


def started(redis: Redis) -> bool:
    runs(redis).start(RECORD)
    return runs(redis).record("k3fm9x2q") == RECORD and enqueued(redis)


def decided(redis: Redis) -> bool:
    return Decisions(redis, KEY).keep("k3fm9x2q", YES, 1) == YES


def paused(redis: Redis) -> bool:
    holds.keep(redis, KEY, "k3fm9x2q", hold := Hold("pause", "U01ALICE", NOW))
    return holds.newest(redis, KEY, "k3fm9x2q") == hold and redis.zcard("run:k3fm9x2q:hold") == 1


def leads(redis: Redis) -> bool:
    lease, deadline = Lease(redis, over := threading.Event()), time.monotonic() + 6
    while not lease.mine() and time.monotonic() < deadline:
        time.sleep(0.05)
    over.set()
    return lease.mine()


def first(redis: Redis) -> bool:
    return runs(redis).first_seen("delivery") and not runs(redis).first_seen("delivery")


def heard(redis: Redis) -> bool:
    inbox = Inbox(redis, KEY, lambda: NOW)
    inbox.take(TYPED)
    return inbox.left() == [TYPED]


def struck_off(redis: Redis) -> bool:
    inbox = Inbox(redis, KEY, lambda: NOW)
    inbox.take(TYPED)
    inbox.done(TYPED)
    return inbox.left() == []


def opened_and_closed(redis: Redis) -> bool:
    runs(redis).reopen("k3fm9x2q")
    opened = runs(redis).open_runs()
    runs(redis).close("k3fm9x2q")
    return (opened, runs(redis).open_runs()) == (["k3fm9x2q"], [])


def looked_at_again(redis: Redis) -> bool:
    Lost(redis).keep("k3fm9x2q", NOW)
    kept = Lost(redis).kept()
    Lost(redis).forget("k3fm9x2q")
    return (kept, Lost(redis).kept()) == ([("k3fm9x2q", NOW)], [])


WRITES: list[tuple[Callable[[Redis], bool], bytes]] = [
    (taken_up, b"imker:used"), (told, b"xadd"), (told, b"expire"), (told, b"publish"),
    (locked, b"lock:swarm"), (locked, b"incr"), (renewed, b"pexpire"), (counted_on, b"tonumber"),
    (free_again, b"call('del'"), (recorded, b"audit:id"), (enqueued, b"rq:job:k3fm9x2q-1"), (enqueued, b"sadd"),
    (started, b"bot:run:k3fm9x2q\r\n$"), (started, b"bot:recent"), (started, b"bot:open"),
    (decided, b":decision:"), (paused, b"zadd"), (leads, b"bot:reporter"), (first, b"bot:seen"),
    (heard, b"bot:inbox:"), (heard, b"sadd"), (struck_off, b"del"), (struck_off, b"srem"),
    (opened_and_closed, b"sadd"), (opened_and_closed, b"srem"), (looked_at_again, b"zadd"), (looked_at_again, b"zrem"),
]  # fmt: skip


@pytest.fixture
def cutter(redis: Redis) -> Iterator[Cutter]:
    with cutting(Path(redis.connection_pool.connection_kwargs["path"])) as made:
        yield made


@pytest.mark.parametrize(("write", "word"), WRITES, ids=lambda value: getattr(value, "__name__", None) or str(value))
def test_a_write_whose_reply_is_lost_is_known_by_its_writer(
    redis: Redis, cutter: Cutter, write: Callable[[Redis], bool], word: bytes
) -> None:
    queue.enqueue(redis, request_of(RECORD, None), KEY)  # the server knows RQ's script from now on
    redis.delete("rq:queue:changes", "rq:job:k3fm9x2q-1")
    with broker.connect(cutter.url) as client:
        cutter.cut_after(word)
        assert write(client)
    assert cutter.cuts == 1


def test_what_was_posted_is_noted_once(redis: Redis, cutter: Cutter) -> None:
    with broker.connect(cutter.url) as client:
        cutter.cut_after(b"hset")
        runs(client).posted.remember("k3fm9x2q", ts="1", channel="C01OPS")
        assert runs(client).posted.of("k3fm9x2q") == {"ts": "1", "channel": "C01OPS"}
    assert cutter.cuts == 1
