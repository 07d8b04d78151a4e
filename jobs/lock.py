"""One run at a time changes a host, and one the swarm's membership. A lock names its holder, and ends with its lease.

The holder renews it from a thread; once the lease may have ended, `lost` is set, and the holder starts no further step.
A holder that sleeps through that is refused by what it would change: see jobs.fence.
"""

import json
import re
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

from imker.fault import fault
from jobs.errors import BrokenFence, LockHeld

MOST = 2**53 - 1  # the highest fencing number: Lua counts no higher without an error
MARK = re.compile(r"(?P<number>[0-9]+)(?: (?P<run>[A-Za-z0-9_-]{1,64}) (?P<since>[0-9]{1,12}\.[0-9]{1,9})\Z| |\Z)")
DIGITS, BROKEN = 16, -1
LEASE, RENEW, PAUSE = 30.0, 10.0, 0.5  # seconds
RENEWED = (
    """if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('pexpire', KEYS[1], ARGV[2]) end return 0"""
)
# Whether a key holds what is no number, or one too high to be counted on from.
CHECK = f"""
local function broken(key)
  local seen = redis.pcall('get', key)
  if type(seen) == 'table' then return true end
  if not seen or seen == '0' then return false end
  return not string.find(seen, '^[1-9]%d*$') or #seen > 16 or tonumber(seen) >= {MOST}
end
"""
NEXT = f"""{CHECK}
if broken(KEYS[1]) then return {BROKEN} end
return redis.call('incr', KEYS[1])
"""
# A number above one that a host showed, only for who holds the lock: a Redis that lost its data counts from 1 again.
ABOVE = f"""{CHECK}
if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end
if broken(KEYS[2]) then return {BROKEN} end
if tonumber(redis.call('get', KEYS[2]) or '0') < tonumber(ARGV[2]) then redis.call('set', KEYS[2], ARGV[2]) end
return redis.call('incr', KEYS[2])
"""
RELEASED = """if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"""

log = structlog.get_logger()


@dataclass(frozen=True)
class Holder:
    """`since`: UNIX seconds; `what`: for people, such as "migrate kaditz"."""

    run: str
    asker: str
    what: str
    since: float


@dataclass(frozen=True)
class Mark:
    """`number`: grows with every holder; `since`: UNIX seconds, and tells jobs apart when Redis has lost count."""

    number: int
    run: str
    since: float

    @property
    def words(self) -> tuple[str, str, str]:
        return str(self.number), self.run, f"{self.since:.6f}"

    @property
    def broken(self) -> bool:
        return not 0 <= self.number <= MOST

    @staticmethod
    def of(text: str) -> "Mark":
        """Return 0 for what is none. A number counts whatever follows it, as on a host; one too high is `broken`."""
        found = MARK.match(text)
        if not found:
            return Mark(0, "", 0)
        number = int(found["number"]) if len(found["number"]) <= DIGITS else MOST + 1
        return Mark(number, found["run"] or "unknown", float(found["since"] or 0))


@dataclass(frozen=True)
class Lease:
    """`mark`: its number grows with every holder of the same lock. `above`: a number above this one, if the lock is

    still held, else 0.
    """

    mark: Mark
    above: Callable[[int], int]
    lost: threading.Event = field(default_factory=threading.Event)


@contextmanager
def held(
    redis: Redis, name: str, holder: Holder, *, wait: float = 0, lease: float = LEASE, renew: float = RENEW
) -> Iterator[Lease]:
    """Raises LockHeld when another holder still has it after `wait` seconds."""
    key, value = f"lock:{name}", json.dumps({**asdict(holder), "token": uuid.uuid4().hex})
    since = _acquire(redis, key, value, name, lease, time.monotonic() + wait)
    fence, over = f"fence:{name}", threading.Event()

    def above(number: int) -> int:
        return _counted(name, redis.eval(ABOVE, 2, key, fence, value, str(number)))

    def renewed() -> bool:
        return bool(redis.eval(RENEWED, 1, key, value, str(int(lease * 1000))))

    try:
        taken = Lease(Mark(_counted(name, redis.eval(NEXT, 1, fence)), holder.run, holder.since), above)
        renewal = (renewed, lease, renew, since + lease, taken.lost, over)
        renewer = threading.Thread(target=_renew, args=renewal, daemon=True)
        renewer.start()
        fault("job.locked")
        try:
            yield taken
        finally:
            over.set()
            renewer.join()
    finally:
        _release(redis, key, value)


def _release(redis: Redis, key: str, value: str) -> None:
    """Give a lock back. One that Redis does not take back ends with its lease: what was done under it stays done."""
    try:
        redis.eval(RELEASED, 1, key, value)
    except RedisError as failed:
        log.warning("a lock is not given back, and ends with its lease", lock=key, error=str(failed))


def _counted(name: str, said: Any) -> int:
    """Raise BrokenFence for a count that cannot go on."""
    number = int(said)
    if number == BROKEN:
        raise BrokenFence(f"Redis' key fence:{name}", "what its value is", name.removeprefix("host:"))
    return number


def _acquire(redis: Redis, key: str, value: str, name: str, lease: float, deadline: float) -> float:
    """Since when, by the monotonic clock. A write repeated after a lost reply finds its own value: that is ours too."""
    while True:
        asked = time.monotonic()
        if redis.set(key, value, nx=True, px=int(lease * 1000)):
            return asked
        now = redis.get(key)
        if isinstance(now, bytes) and now.decode() == value:
            return asked
        if now is not None and time.monotonic() >= deadline:
            other = json.loads(now)
            raise LockHeld(name, other["run"], other["since"], other["what"])
        time.sleep(PAUSE)


def _renew(
    renewed: Callable[[], bool], lease: float, pause: float, until: float, lost: threading.Event, over: threading.Event
) -> None:
    """A Redis that hangs keeps this thread, but not the timer that says the lease is over."""
    expiry = _expiry(until, lost)
    while not over.wait(pause):
        asked = time.monotonic()
        try:
            ours = renewed()
        except RedisError:
            continue
        expiry.cancel()
        if not ours:
            return lost.set()
        expiry = _expiry(asked + lease, lost)
    return expiry.cancel()


def _expiry(until: float, lost: threading.Event) -> threading.Timer:
    timer = threading.Timer(until - time.monotonic(), lost.set)
    timer.daemon = True
    timer.start()
    return timer
