"""One run at a time changes a host, and one the swarm's membership. A lock names its holder, and ends with its lease.

The holder renews it from a thread; if it cannot, `lost` is set, and the holder starts no further step.
"""

import json
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field

from redis import Redis
from redis.exceptions import RedisError

from jobs.errors import LockHeld

LEASE, RENEW, PAUSE = 30.0, 10.0, 0.5  # seconds
RENEWED = (
    """if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('pexpire', KEYS[1], ARGV[2]) end return 0"""
)
RELEASED = """if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"""


@dataclass(frozen=True)
class Holder:
    """`since`: UNIX seconds; `what`: for people, such as "migrate kaditz"."""

    run: str
    asker: str
    what: str
    since: float


@dataclass(frozen=True)
class Lease:
    """`fence` grows with every holder of the same lock."""

    fence: int
    lost: threading.Event = field(default_factory=threading.Event)


@contextmanager
def held(
    redis: Redis, name: str, holder: Holder, *, wait: float = 0, lease: float = LEASE, renew: float = RENEW
) -> Iterator[Lease]:
    """Raises LockHeld when another holder still has it after `wait` seconds."""
    key, value = f"lock:{name}", json.dumps({**asdict(holder), "token": uuid.uuid4().hex})
    _acquire(redis, key, value, name, lease, time.monotonic() + wait)
    taken, over = Lease(int(redis.incr(f"fence:{name}"))), threading.Event()
    renewer = threading.Thread(target=_renew, args=(redis, key, value, lease, renew, taken, over), daemon=True)
    renewer.start()
    try:
        yield taken
    finally:
        over.set()
        renewer.join()
        redis.eval(RELEASED, 1, key, value)


def _acquire(redis: Redis, key: str, value: str, name: str, lease: float, deadline: float) -> None:
    """A write repeated after a lost reply finds its own value: that is ours too."""
    while not redis.set(key, value, nx=True, px=int(lease * 1000)):
        now = redis.get(key)
        if isinstance(now, bytes) and now.decode() == value:
            return
        if now is not None and time.monotonic() >= deadline:
            other = json.loads(now)
            raise LockHeld(name, other["run"], other["since"], other["what"])
        time.sleep(PAUSE)


def _renew(redis: Redis, key: str, value: str, lease: float, renew: float, taken: Lease, over: threading.Event) -> None:
    good_until = time.monotonic() + lease
    while not over.wait(renew):
        try:
            if not redis.eval(RENEWED, 1, key, value, str(int(lease * 1000))):
                break
            good_until = time.monotonic() + lease
        except RedisError:
            if time.monotonic() > good_until:
                break
    else:
        return
    taken.lost.set()
