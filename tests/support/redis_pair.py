"""A Redis with a replica behind one address, as a virtual IP address or a proxy gives it, and a fail-over by hand."""

import contextlib
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from redis import Redis

from lab.slack.server_process import free_port
from tests.support.cutting_proxy import Cutter, cutting
from tests.support.redis_server import RedisServer, run_redis

SYNC_TIMEOUT = 30  # seconds


class RedisPair:
    """Imker's address, `url`, leads to the primary, after a fail-over to the former replica."""

    def __init__(self, primary: RedisServer, replica: RedisServer, proxy: Cutter) -> None:
        self.primary = primary
        self.replica = replica
        self._proxy = proxy
        self.url = proxy.url
        self.redis = Redis.from_url(proxy.url)

    def wait_for_replica(self, timeout: float = SYNC_TIMEOUT) -> bool:
        """Return whether the replica acknowledges all writes of this pair's client in time."""
        self.redis.set("test:marker", time.monotonic())  # WAIT is about the writes of its own connection
        return bool(self.redis.wait(1, int(timeout * 1000)))

    def lose_primary(self) -> None:
        """Kill the primary. It does not come back."""
        self.primary.kill()

    def fail_over(self) -> None:
        """Promote the replica, then lead the address to it."""
        self.replica.lead()
        self._proxy.switch(self.replica.socket)


@contextmanager
def run_pair() -> Iterator[RedisPair]:
    """Run both servers as docs/redis.md sets them up, and wait until the replica has all data."""
    with (
        tempfile.TemporaryDirectory(prefix="imker-p-") as name,
        run_redis((folder := Path(name)) / "primary", "always", free_port()) as primary,
        run_redis(folder / "replica", "always", free_port()) as replica,
        cutting(primary.socket) as proxy,
    ):
        primary.redis.config_set("repl-diskless-sync-delay", 0)
        replica.redis.replicaof("127.0.0.1", primary.port)
        pair = RedisPair(primary, replica, proxy)
        deadline = time.monotonic() + SYNC_TIMEOUT
        while not pair.wait_for_replica(0.5):
            assert time.monotonic() < deadline, "the replica has no data"
        with contextlib.closing(pair.redis):
            yield pair
