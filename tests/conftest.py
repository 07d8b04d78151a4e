"""Share a real Redis and its folder between tests, and the tests between parallel workers."""

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from redis import Redis

from imker.embedded_redis import _user_locks, start_or_join
from tests.support import side_effects
from tests.support.embedded_redis import wait_until_ended
from tests.support.worker_groups import GroupScheduling

# Examples have no time limit: on a busy machine they can be slow, and the tests do not measure speed.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")

side_effects.install_recorder()
SLOWEST_FIRST = ("e2e", "chaos", "integration", "lab", "simulated", "golden", "unit")
FAST = ("golden", "unit", "lab")  # folders with tests that start no process and open no connection


@pytest.hookimpl(tryfirst=True)  # before the tests of a marker are selected
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the tests with a Redis, and put the slowest first if workers share the tests."""
    for item in items:
        if "redis_folder" in getattr(item, "fixturenames", ()):
            item.add_marker("processes")
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: SLOWEST_FIRST.index(_folder(item)))


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> GroupScheduling:
    return GroupScheduling(config, log)


def pytest_runtest_logstart() -> None:
    side_effects.recorded.clear()


@pytest.fixture(autouse=True)
def _only_marked_tests_have_side_effects(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if _folder(request.node) in FAST and not _has_side_effects(request.node) and side_effects.recorded:
        pytest.fail(f"mark this test with `processes`: {side_effects.recorded}")


def _has_side_effects(item: pytest.Item) -> bool:
    return item.get_closest_marker("processes") is not None


def _folder(item: pytest.Item) -> str:
    """Return the folder below `tests`."""
    return item.path.relative_to(Path(__file__).parent).parts[0]


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
