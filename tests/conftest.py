"""Share a real Redis and its folder between tests."""

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from redis import Redis

from imker.embedded_redis import _user_locks, start_or_join
from tests.support.embedded_redis import wait_until_ended

# Examples have no time limit: on a busy machine they can be slow, and the tests do not measure speed.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


@pytest.fixture(scope="session")
def redis_folder() -> Iterator[Path]:
    """Return a short path, because socket paths are limited, in memory if possible."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="imker-t-", dir=memory) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def server(redis_folder: Path) -> Iterator[Redis]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IMKER_STATE", str(redis_folder))
        client = Redis.from_url(start_or_join())
    deadline = time.monotonic() + 10
    while not (redis_folder / "redis.sock").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    yield client
    client.close()
    _user_locks.pop(redis_folder).close()
    wait_until_ended(redis_folder)


@pytest.fixture
def redis(server: Redis) -> Redis:
    server.flushall()
    return server
