"""Check the lock of a host or the swarm: one holder at a time, renewed while held, lost when its lease expires."""

import threading
import time
from collections.abc import Callable

import pytest
from redis import Redis

from jobs.errors import LockHeld
from jobs.locking.lease import LockHolder, acquire_lock

ALICE = LockHolder("k3fm9x2q", "U01ALICE", "migrate kaditz", 1795440000.0)


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for a condition instead of measuring time, because a slow disk makes Redis slow."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_names_the_holder_of_a_held_lock(redis: Redis) -> None:
    with (
        acquire_lock(redis, "host:kaditz", ALICE),
        pytest.raises(LockHeld, match=r"k3fm9x2q since .* \(migrate kaditz\)"),
        acquire_lock(redis, "host:kaditz", ALICE),
    ):
        raise AssertionError("two holders")


def test_gives_the_next_holder_a_higher_token(redis: Redis) -> None:
    with acquire_lock(redis, "swarm", ALICE) as first:
        pass
    with acquire_lock(redis, "swarm", ALICE) as second:
        assert second.token.number > first.token.number


def test_waits_until_the_lock_is_released(redis: Redis) -> None:
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


def test_renews_the_lease_while_the_lock_is_held(redis: Redis) -> None:
    with acquire_lock(redis, "swarm", ALICE, lease_seconds=60, renew_interval=0.05) as lease:
        for _ in range(3):
            redis.pexpire("lock:swarm", 30_000)  # as if half of the lease had passed
            wait_until(lambda: redis.pttl("lock:swarm") > 30_000)
        assert not lease.lost.is_set()


def test_notices_a_lost_lock_and_keeps_the_new_holders(redis: Redis) -> None:
    with acquire_lock(redis, "swarm", ALICE, lease_seconds=60, renew_interval=0.05) as lease:
        redis.set("lock:swarm", "another holder")
        assert lease.lost.wait(30)
    assert redis.get("lock:swarm") == b"another holder"


def test_notices_an_expired_lease_while_redis_hangs(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    called, resume = threading.Event(), threading.Event()

    def hang(*_: object) -> int:
        called.set()
        resume.wait(90)
        return 1

    with acquire_lock(redis, "swarm", ALICE, lease_seconds=0.5, renew_interval=0.1) as lease:
        with monkeypatch.context() as patch:
            patch.setattr(redis, "eval", hang)
            assert called.wait(30)
            assert lease.lost.wait(30)
        resume.set()
