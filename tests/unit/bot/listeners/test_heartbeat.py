"""Record that the bot is connected while it is, and log each change."""

import time

import pytest
from redis import Redis
from structlog.testing import capture_logs

from bot.listeners.heartbeat import INTERVAL, Heartbeat, run_heartbeat
from imker.health import CONNECTED_TTL
from imker.protocol.version import BOT_CONNECTED_KEY


def test_writes_while_connected_and_logs_changes(redis: Redis) -> None:
    connected, now = [True], [100.0]
    heartbeat = Heartbeat(redis, lambda: connected[0], lambda: now[0])
    with capture_logs() as logs:
        heartbeat.beat()
        assert 0 < redis.ttl(BOT_CONNECTED_KEY) <= CONNECTED_TTL  # type: ignore[operator]
        redis.delete(BOT_CONNECTED_KEY)
        heartbeat.beat()
        assert not redis.exists(BOT_CONNECTED_KEY), "the last heartbeat is young"
        now[0] += INTERVAL
        heartbeat.beat()
        assert redis.exists(BOT_CONNECTED_KEY)
        redis.delete(BOT_CONNECTED_KEY)
        connected[0] = False
        now[0] += INTERVAL
        heartbeat.beat()
        assert not redis.exists(BOT_CONNECTED_KEY)
    assert [line["event"] for line in logs] == ["connected to Slack", "not connected to Slack"]


@pytest.mark.processes
def test_continues_while_redis_is_down() -> None:
    tries: list[int] = []

    def connected() -> bool:
        tries.append(1)
        return True

    with run_heartbeat(Redis.from_url("redis://127.0.0.1:9", socket_timeout=1), connected):
        deadline = time.monotonic() + 60
        while len(tries) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.05)
