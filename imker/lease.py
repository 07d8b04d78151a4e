"""A lease in Redis: a key that holds its owner's value and expires unless the owner renews it.

Renewing and releasing compare the value and act in one script, so that an owner whose lease has expired can neither
extend nor delete the lease of the next one.
"""

from dataclasses import dataclass

from redis import Redis

RENEW_SCRIPT = (
    """if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('pexpire', KEYS[1], ARGV[2]) end return 0"""
)
RELEASE_SCRIPT = """if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"""


@dataclass(frozen=True)
class RedisLease:
    """A claim to `key`. `value`: unique to the owner; `seconds`: how long the lease lasts without renewal.

    Every method raises RedisError when Redis does not respond.
    """

    redis: "Redis"
    key: str
    value: str
    seconds: float

    def acquire(self) -> bool:
        """Return whether the lease is this owner's, taking it if it is free.

        A write that is repeated after a lost reply finds its own value.
        """
        return bool(self.redis.set(self.key, self.value, nx=True, px=self._milliseconds)) or self.renew()

    def renew(self) -> bool:
        """Extend the lease and return True; return False if it is no longer this owner's."""
        return bool(self.redis.eval(RENEW_SCRIPT, 1, self.key, self.value, str(self._milliseconds)))

    def release(self) -> None:
        """Delete the lease if it is still this owner's."""
        self.redis.eval(RELEASE_SCRIPT, 1, self.key, self.value)

    @property
    def _milliseconds(self) -> int:
        return int(self.seconds * 1000)
