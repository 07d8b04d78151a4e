"""Lock a host, or the swarm's membership, for one run at a time. A lock names its holder and expires with its lease.

A thread renews the lease. When the lease may have expired, `lost` is set and the holder starts no further step. A
holder that does not notice this in time is rejected by the host or the swarm: see jobs.connectors.fenced_shell.
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

LEASE_SECONDS, RENEW_INTERVAL, POLL_INTERVAL = 30.0, 10.0, 0.1  # seconds
# A Lua function: is the counter invalid, that is not a number, or too high to be incremented?
BROKEN_FUNCTION = f"""
local function broken(key)
  local value = redis.pcall('get', key)
  if type(value) == 'table' then return true end
  if not value or value == '0' then return false end
  return not string.find(value, '^[1-9]%d*$') or #value > 16 or tonumber(value) >= {MAX_NUMBER}
end
"""
NEXT_SCRIPT = f"""{BROKEN_FUNCTION}
if broken(KEYS[1]) then return {BROKEN_COUNT} end
return redis.call('incr', KEYS[1])
"""
# Returns a number above a host's, only to the lock's holder: a Redis that lost its data counts from 1 again.
RAISE_SCRIPT = f"""{BROKEN_FUNCTION}
if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end
if broken(KEYS[2]) then return {BROKEN_COUNT} end
if tonumber(redis.call('get', KEYS[2]) or '0') < tonumber(ARGV[2]) then redis.call('set', KEYS[2], ARGV[2]) end
return redis.call('incr', KEYS[2])
"""

log = structlog.get_logger()


@dataclass(frozen=True)
class LockHolder:
    """Who holds a lock. `purpose`: for people, such as "migrate kaditz". `since`: UNIX seconds."""

    run: str
    requester: str
    purpose: str
    since: float


@dataclass(frozen=True)
class Lease:
    """A held lock.

    `token`: its number grows with every holder of the lock. `raise_token_above`: returns a number above the given one,
    or 0 if the lock is no longer held. `lost`: set when the lease may have expired.
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
    """Hold the lock during the `with` block. Raises LockHeld if another holder has it after `timeout` seconds."""
    value = json.dumps({**asdict(holder), "token": uuid.uuid4().hex})
    lock = RedisLease(redis, f"lock:{name}", value, lease_seconds)
    since = _wait_for_lock(lock, name, time.monotonic() + timeout)
    fence, released = f"fence:{name}", threading.Event()

    def raise_above(number: int) -> int:
        return _check_count(name, redis.eval(RAISE_SCRIPT, 2, lock.key, fence, value, str(number)))

    try:
        number = _check_count(name, redis.eval(NEXT_SCRIPT, 1, fence))
        lease = Lease(FencingToken(number, holder.run, holder.since), raise_above)
        renewal = (lock.renew, lease_seconds, renew_interval, since + lease_seconds, lease.lost, released)
        renewer = threading.Thread(target=_renew_until_released, args=renewal, daemon=True)
        renewer.start()
        failpoint("job.locked")
        try:
            yield lease
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


def _check_count(name: str, reply: Any) -> int:
    """Return the number. Raises BrokenFencingToken if the counter in Redis is invalid."""
    number = int(reply)
    if number == BROKEN_COUNT:
        raise BrokenFencingToken("Redis", f"key fence:{name}", name.removeprefix("host:"))
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
    """Renew the lease until it is released or lost. A Redis that hangs blocks this thread, but not the expiry timer."""
    expiry = _start_expiry_timer(expires_at, lost)
    while not released.wait(interval):
        requested_at = time.monotonic()
        try:
            renewed = renew()
        except RedisError:
            continue
        expiry.cancel()
        if not renewed:
            return lost.set()
        expiry = _start_expiry_timer(requested_at + lease_seconds, lost)
    return expiry.cancel()


def _start_expiry_timer(expires_at: float, lost: threading.Event) -> threading.Timer:
    """Set `lost` at `expires_at`, by the monotonic clock, unless the timer is cancelled."""
    timer = threading.Timer(expires_at - time.monotonic(), lost.set)
    timer.daemon = True
    timer.start()
    return timer
