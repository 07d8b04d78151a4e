"""Which reconciler is the one that looks: the others stand by, and one takes over when it is gone.

The lease is kept by a thread, while a look waits for Slack: whoever took over then would post what is being posted.
"""

import contextlib
import threading
import uuid

from redis import Redis
from redis.exceptions import RedisError

LEADER_KEY = "bot:reconciler"
LEASE_SECONDS, RENEW_SECONDS = 8, 2.0  # seconds that it is good for; between two words that its holder is still there


class LeaderElection:
    """Wanted from now on, until `over`."""

    def __init__(self, redis: "Redis", over: threading.Event) -> None:
        self._redis = redis
        self._over = over
        self._me = uuid.uuid4().hex.encode()
        self._mine = threading.Event()
        threading.Thread(target=self._renew_loop, name="lease", daemon=True).start()

    def is_leader(self) -> bool:
        return self._mine.is_set()

    def resign(self) -> None:
        with contextlib.suppress(RedisError):
            if self._redis.get(LEADER_KEY) == self._me:
                self._redis.delete(LEADER_KEY)

    def _renew_loop(self) -> None:
        while not self._over.is_set():
            try:
                self._mine.set() if self._acquire_or_renew() else self._mine.clear()
            except RedisError:
                self._mine.clear()
            self._over.wait(RENEW_SECONDS)

    def _acquire_or_renew(self) -> bool:
        if self._redis.set(LEADER_KEY, self._me, nx=True, ex=LEASE_SECONDS):
            return True
        if self._redis.get(LEADER_KEY) != self._me:
            return False
        self._redis.expire(LEADER_KEY, LEASE_SECONDS)
        return True
