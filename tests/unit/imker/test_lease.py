"""A Redis lease has one owner, who alone can renew or release it."""

import time

from redis import Redis

from imker.lease import RedisLease


def lease(redis: Redis, value: str, seconds: float = 60) -> RedisLease:
    return RedisLease(redis, "lock:swarm", value, seconds)


def test_has_one_owner(redis: Redis) -> None:
    assert lease(redis, "first").acquire()
    assert not lease(redis, "second").acquire()
    assert redis.get("lock:swarm") == b"first"


def test_acquires_again_after_a_lost_reply(redis: Redis) -> None:
    assert lease(redis, "first").acquire()
    assert lease(redis, "first").acquire()


def test_renews_only_its_own_lease(redis: Redis) -> None:
    assert lease(redis, "first", 30).acquire()
    assert not lease(redis, "second").renew()
    assert redis.pttl("lock:swarm") <= 30_000
    assert lease(redis, "first").renew()
    assert redis.pttl("lock:swarm") > 30_000


def test_does_not_renew_an_expired_lease(redis: Redis) -> None:
    assert not lease(redis, "first").renew()
    assert redis.get("lock:swarm") is None


def test_releases_only_its_own_lease(redis: Redis) -> None:
    assert lease(redis, "first").acquire()
    lease(redis, "second").release()
    assert redis.get("lock:swarm") == b"first"
    lease(redis, "first").release()
    assert lease(redis, "second").acquire()


def test_expires(redis: Redis) -> None:
    assert lease(redis, "first", 0.05).acquire()
    deadline = time.monotonic() + 30
    while not lease(redis, "second").acquire():
        assert time.monotonic() < deadline
        time.sleep(0.01)
