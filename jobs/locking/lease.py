"""One run at a time changes a host, and one the swarm's membership. A lock names its holder, and ends with its lease.

The holder renews it from a thread; once the lease may have ended, `lost` is set, and the holder starts no further step.
A holder that sleeps through that is refused by what it would change: see jobs.fence.
"""

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import structlog
from redis import Redis
from redis.exceptions import RedisError

from imker.failpoints import failpoint
from jobs.errors import BrokenFencingToken, LockHeld
from jobs.locking.fencing_token import BROKEN_COUNT, MAX_NUMBER, FencingToken

LEASE_SECONDS, RENEW_INTERVAL, POLL_INTERVAL = 30.0, 10.0, 0.5  # seconds
RENEW_SCRIPT = (
    """if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('pexpire', KEYS[1], ARGV[2]) end return 0"""
)
# Whether a key holds what is no number, or one too high to be counted on from.
CHECK = f"""
local function broken(key)
  local seen = redis.pcall('get', key)
  if type(seen) == 'table' then return true end
  if not seen or seen == '0' then return false end
  return not string.find(seen, '^[1-9]%d*$') or #seen > 16 or tonumber(seen) >= {MAX_NUMBER}
end
"""
NEXT = f"""{CHECK}
if broken(KEYS[1]) then return {BROKEN_COUNT} end
return redis.call('incr', KEYS[1])
"""
# A number above one that a host showed, only for who holds the lock: a Redis that lost its data counts from 1 again.
RAISE_SCRIPT = f"""{CHECK}
if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end
if broken(KEYS[2]) then return {BROKEN_COUNT} end
if tonumber(redis.call('get', KEYS[2]) or '0') < tonumber(ARGV[2]) then redis.call('set', KEYS[2], ARGV[2]) end
return redis.call('incr', KEYS[2])
"""
RELEASE_SCRIPT = """if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"""

log = structlog.get_logger()


@dataclass(frozen=True)
class LockHolder:
    """`since`: UNIX seconds; `what`: for people, such as "migrate kaditz"."""

    run: str
    requester: str
    purpose: str
    since: float


@dataclass(frozen=True)
class Lease:
    """`mark`: its number grows with every holder of the same lock. `above`: a number above this one, if the lock is

    still held, else 0.
    """

    token: FencingToken
    raise_token_above: Callable[[int], int]
    lost: threading.Event = field(default_factory=threading.Event)


@contextmanager
def acquire_lock(
    redis: Redis,
    name: str,
    holder: LockHolder,
    *,
    timeout: float = 0,
    lease_seconds: float = LEASE_SECONDS,
    renew_interval: float = RENEW_INTERVAL,
) -> Iterator[Lease]:
    """Raises LockHeld when another holder still has it after `wait` seconds."""
    key, value = f"lock:{name}", json.dumps({**asdict(holder), "token": uuid.uuid4().hex})
    since = _take_key(redis, key, value, name, lease_seconds, time.monotonic() + timeout)
    fence, released = f"fence:{name}", threading.Event()

    def above(number: int) -> int:
        return _check_count(name, redis.eval(RAISE_SCRIPT, 2, key, fence, value, str(number)))

    def renewed() -> bool:
        return bool(redis.eval(RENEW_SCRIPT, 1, key, value, str(int(lease_seconds * 1000))))

    try:
        taken = Lease(FencingToken(_check_count(name, redis.eval(NEXT, 1, fence)), holder.run, holder.since), above)
        renewal = (renewed, lease_seconds, renew_interval, since + lease_seconds, taken.lost, released)
        renewer = threading.Thread(target=_renew_until_released, args=renewal, daemon=True)
        renewer.start()
        failpoint("job.locked")
        try:
            yield taken
        finally:
            released.set()
            renewer.join()
    finally:
        _release(redis, key, value)


def _release(redis: Redis, key: str, value: str) -> None:
    """Give a lock back. One that Redis does not take back ends with its lease: what was done under it stays done."""
    try:
        redis.eval(RELEASE_SCRIPT, 1, key, value)
    except RedisError as failed:
        log.warning("a lock is not given back, and ends with its lease", lock=key, error=str(failed))


def _check_count(name: str, said: Any) -> int:
    """Raise BrokenFence for a count that cannot go on."""
    number = int(said)
    if number == BROKEN_COUNT:
        raise BrokenFencingToken(f"Redis' key fence:{name}", "what its value is", name.removeprefix("host:"))
    return number


def _take_key(redis: Redis, key: str, value: str, name: str, lease_seconds: float, deadline: float) -> float:
    """Since when, by the monotonic clock. A write repeated after a lost reply finds its own value: that is ours too."""
    while True:
        requested_at = time.monotonic()
        if redis.set(key, value, nx=True, px=int(lease_seconds * 1000)):
            return requested_at
        now = redis.get(key)
        if isinstance(now, bytes) and now.decode() == value:
            return requested_at
        if now is not None and time.monotonic() >= deadline:
            other = json.loads(now)
            raise LockHeld(name, other["run"], other["since"], other["purpose"])
        time.sleep(POLL_INTERVAL)


def _renew_until_released(
    renew: Callable[[], bool],
    lease_seconds: float,
    interval: float,
    expires_at: float,
    lost: threading.Event,
    released: threading.Event,
) -> None:
    """A Redis that hangs keeps this thread, but not the timer that says the lease is over."""
    expiry = _start_expiry_timer(expires_at, lost)
    while not released.wait(interval):
        requested_at = time.monotonic()
        try:
            ours = renew()
        except RedisError:
            continue
        expiry.cancel()
        if not ours:
            return lost.set()
        expiry = _start_expiry_timer(requested_at + lease_seconds, lost)
    return expiry.cancel()


def _start_expiry_timer(expires_at: float, lost: threading.Event) -> threading.Timer:
    timer = threading.Timer(expires_at - time.monotonic(), lost.set)
    timer.daemon = True
    timer.start()
    return timer
