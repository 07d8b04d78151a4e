import threading
import time
from collections.abc import Callable

import pytest
from redis import Redis

from imker.protocol import codec, version
from imker.protocol.events import DecisionRequested, Event, JobFinished, JobStarted, StepStarted
from imker.signing import SigningKey
from jobs.errors import LockHeld
from jobs.events.writer import EventWriter
from jobs.locking.lease import LockHolder, acquire_lock
from tests.support import streams

ALICE = LockHolder("k3fm9x2q", "U01ALICE", "migrate kaditz", 1795440000.0)


def wait_until(true: Callable[[], bool]) -> None:
    """A slow disk makes Redis slow: the tests wait for what they expect, and measure no time."""
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_events_are_numbered_and_the_bell_rings(redis: Redis) -> None:
    bell = redis.pubsub(ignore_subscribe_messages=True)
    bell.subscribe(version.WAKE_CHANNEL)
    bell.get_message(timeout=1)
    journal = EventWriter(redis, streams.KEY, "k3fm9x2q", 1, lambda: 7.0)
    journal.emit(JobStarted("kaditz"))
    journal.emit(StepStarted("JoinSwarm"))
    events = streams.read_events(redis, "k3fm9x2q")
    assert [(event.number, event.at, event.body.type) for event in events] == [
        (1, 7.0, "job_started"),
        (2, 7.0, "step_started"),
    ]
    assert bell.get_message(timeout=1)["data"] == b"k3fm9x2q"
    bell.close()


def test_what_others_write_is_nobodys_word(redis: Redis) -> None:
    """Neither a question that a yes could be to, nor an event of another run's."""
    journal, question = EventWriter(redis, streams.KEY, "k3fm9x2q", 1, lambda: 7.0), DecisionRequested("accept", "f00d")
    journal.emit(question)
    text = codec.encode_message(Event("k3fm9x2q", 1, 2, 7.0, DecisionRequested("accept", "evil")))
    entries = (
        {"event": text},
        streams.signed_entry("k3fm9x2q", text, SigningKey("m" * 64)),
        streams.signed_entry("another1", text),
        {"event": b"\xff"},
        {"note": "x"},
    )
    for entry in entries:
        redis.xadd(version.events_key("k3fm9x2q"), entry)  # type: ignore[arg-type]
    assert journal.question_of(1) == question
    text = codec.encode_message(Event("k3fm9x2q", 1, 1, 7.0, DecisionRequested("accept", "evil")))
    redis.xadd(version.events_key("k3fm9x2q"), streams.signed_entry("k3fm9x2q", text))  # type: ignore[arg-type]
    assert journal.question_of(1) == DecisionRequested("accept", "evil"), "what is sealed is read"


def test_what_nobody_can_write_down_is_told_all_the_same(redis: Redis) -> None:
    EventWriter(redis, streams.KEY, "k3fm9x2q", 1, lambda: 7.0).emit(JobFinished("failed", "half \ud800 a character"))
    assert streams.event_bodies(redis, "k3fm9x2q") == [JobFinished("failed", "half ? a character")]


def test_a_held_lock_names_its_holder(redis: Redis) -> None:
    with (
        acquire_lock(redis, "host:kaditz", ALICE),
        pytest.raises(LockHeld, match=r"k3fm9x2q since .* \(migrate kaditz\)"),
        acquire_lock(redis, "host:kaditz", ALICE),
    ):
        raise AssertionError("two holders")


def test_it_is_free_again_and_the_fence_grows(redis: Redis) -> None:
    with acquire_lock(redis, "swarm", ALICE) as first:
        pass
    with acquire_lock(redis, "swarm", ALICE) as second:
        assert second.token.number > first.token.number


def test_who_waits_gets_it_when_it_is_free(redis: Redis) -> None:
    order: list[str] = []

    def hold() -> None:
        with acquire_lock(redis, "swarm", ALICE):
            order.append("first")
            time.sleep(0.3)
            order.append("first ends")

    thread = threading.Thread(target=hold)
    thread.start()
    while not order:
        time.sleep(0.01)
    with acquire_lock(redis, "swarm", ALICE, timeout=60):
        order.append("second")
    thread.join()
    assert order == ["first", "first ends", "second"]


def test_it_outlives_its_lease_while_it_is_renewed(redis: Redis) -> None:
    with acquire_lock(redis, "swarm", ALICE, lease_seconds=60, renew_interval=0.05) as lease:
        for _ in range(3):
            redis.pexpire("lock:swarm", 30_000)  # as if half of it had gone by
            wait_until(lambda: redis.pttl("lock:swarm") > 30_000)
        assert not lease.lost.is_set()


def test_a_lock_taken_away_is_noticed_and_the_other_holder_left_alone(redis: Redis) -> None:
    with acquire_lock(redis, "swarm", ALICE, lease_seconds=60, renew_interval=0.05) as lease:
        redis.set("lock:swarm", "somebody else's")
        assert lease.lost.wait(30)
    assert redis.get("lock:swarm") == b"somebody else's"


def test_a_redis_that_hangs_does_not_hide_that_the_lease_is_over(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    called, answer = threading.Event(), threading.Event()

    def hangs(*_: object) -> int:
        called.set()
        answer.wait(90)
        return 1

    with acquire_lock(redis, "swarm", ALICE, lease_seconds=0.5, renew_interval=0.1) as lease:
        with monkeypatch.context() as patch:
            patch.setattr(redis, "eval", hangs)
            assert called.wait(30)
            assert lease.lost.wait(30)
        answer.set()
