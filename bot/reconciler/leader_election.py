"""Leader election: one active reconciler; a standby takes over when the lease expires.

A thread renews the lease, because a reconciler may wait longer for Slack than the lease lasts. A standby that took over
meanwhile would post the same messages.
"""

import contextlib
import threading
import time
import uuid

from redis import Redis
from redis.exceptions import RedisError

from imker.lease import RedisLease
from imker.protocol.version import RECONCILER_KEY

LEASE_SECONDS, RENEW_SECONDS = 8, 2.0  # how long a lease lasts without renewal; time between two renewals


class LeaderElection:
    """Compete for the lease until `stopping` is set. Durations are in seconds."""

    def __init__(
        self,
        redis: "Redis",
        stopping: threading.Event,
        lease_seconds: float = LEASE_SECONDS,
        renew_interval: float = RENEW_SECONDS,
    ) -> None:
        self._lease = RedisLease(redis, RECONCILER_KEY, uuid.uuid4().hex, lease_seconds)
        self._stopping = stopping
        self._renew_interval = renew_interval
        self._leads_until = 0.0  # monotonic clock; the lease cannot expire earlier
        self._thread = threading.Thread(target=self._renew_loop, name="lease", daemon=True)
        self._thread.start()

    def is_leader(self) -> bool:
        """Return whether the lease is held; False once it may have expired, also while Redis does not respond."""
        return time.monotonic() < self._leads_until

    def resign(self) -> None:
        """Release the lease. Call this after `stopping` is set: the thread would take the lease again."""
        self._thread.join(self._renew_interval)
        self._leads_until = 0.0
        with contextlib.suppress(RedisError):
            self._lease.release()

    def _renew_loop(self) -> None:
        while not self._stopping.is_set():
            self._leads_until = self._acquire()
            self._stopping.wait(self._renew_interval)

    def _acquire(self) -> float:
        """Return until when this reconciler leads, by the monotonic clock; 0 if another one does."""
        requested_at = time.monotonic()
        with contextlib.suppress(RedisError):
            if self._lease.acquire():
                return requested_at + self._lease.seconds
        return 0.0
