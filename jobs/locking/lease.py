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
from imker.lease import RedisLease
from jobs.errors import BrokenFencingToken, LockHeld
from jobs.locking.fencing_token import BROKEN_COUNT, MAX_NUMBER, FencingToken

LEASE_SECONDS, RENEW_INTERVAL, POLL_INTERVAL = 30.0, 10.0, 0.5  # seconds
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
    value = json.dumps({**asdict(holder), "token": uuid.uuid4().hex})
    lock = RedisLease(redis, f"lock:{name}", value, lease_seconds)
    since = _wait_for_lock(lock, name, time.monotonic() + timeout)
    fence, released = f"fence:{name}", threading.Event()

    def above(number: int) -> int:
        return _check_count(name, redis.eval(RAISE_SCRIPT, 2, lock.key, fence, value, str(number)))

    try:
        taken = Lease(FencingToken(_check_count(name, redis.eval(NEXT, 1, fence)), holder.run, holder.since), above)
        renewal = (lock.renew, lease_seconds, renew_interval, since + lease_seconds, taken.lost, released)
        renewer = threading.Thread(target=_renew_until_released, args=renewal, daemon=True)
        renewer.start()
        failpoint("job.locked")
        try:
            yield taken
        finally:
            released.set()
            renewer.join()
    finally:
        _release(lock)


def _release(lock: RedisLease) -> None:
    """Release a lock. If Redis does not respond, the lock expires with its lease; completed work is not affected."""
    try:
        lock.release()
    except RedisError as error:
        log.warning("could not release a lock; it expires with its lease", lock=lock.key, error=str(error))


def _check_count(name: str, said: Any) -> int:
    """Raise BrokenFence for a count that cannot go on."""
    number = int(said)
    if number == BROKEN_COUNT:
        raise BrokenFencingToken(f"Redis' key fence:{name}", "what its value is", name.removeprefix("host:"))
    return number


def _wait_for_lock(lock: RedisLease, name: str, deadline: float) -> float:
    """Return when the lock was taken, by the monotonic clock. Raise LockHeld if another holds it at the deadline."""
    while True:
        requested_at = time.monotonic()
        if lock.acquire():
            return requested_at
        current = lock.redis.get(lock.key)
        if current is not None and time.monotonic() >= deadline:
            other = json.loads(current)
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
