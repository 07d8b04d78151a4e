"""Check whether Imker's processes are running, from what they write to Redis. Starts nothing and changes nothing."""

import sys
from collections.abc import Callable, Iterable
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import NoPermissionError, RedisError
from redis.retry import Retry
from rq.worker_registration import WORKERS_BY_QUEUE_KEY

from imker import embedded_redis
from imker.config import ConfigError
from imker.protocol.values import Finding
from imker.protocol.version import BOT_CONNECTED_KEY, CHANGES_QUEUE, READS_QUEUE, RECONCILER_KEY
from imker.secret_files import read_secret

TIMEOUT = 3  # seconds
CONNECTED_TTL = 15  # seconds that a bot counts as connected after its last heartbeat
PARTS = ("redis", "bot", "reconciler", CHANGES_QUEUE, READS_QUEUE)


def check_health(redis: "Redis", parts: Iterable[str] = PARTS) -> tuple[Finding, ...]:
    """Return a finding for each part."""
    return tuple(_check(part, redis) for part in parts)


def count_workers(redis: "Redis", queue: str) -> int:
    """Return how many RQ workers of the queue are alive: the key of a dead one expires. Raises RedisError."""
    workers: Any = redis.smembers(WORKERS_BY_QUEUE_KEY % queue)
    return sum(bool(redis.exists(worker)) for worker in workers)


def main(parts: Iterable[str]) -> int:
    """Print one line for each part. Return 1 if one is not running. No parts: all of them."""
    try:
        redis = _open(read_secret("REDIS_URL"))
    except (ConfigError, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    findings = check_health(redis, tuple(parts) or PARTS)
    for finding in findings:
        print(finding.as_text)
    return int(any(finding.level == "block" for finding in findings))


def _open(url: str) -> "Redis":
    """Return a client that does not wait. The embedded server is not started."""
    address = url or f"unix://{embedded_redis.socket_path(embedded_redis.state_dir())}"
    return Redis.from_url(
        address, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT, retry=Retry(NoBackoff(), 0), driver_info=None
    )


def _check(part: str, redis: "Redis") -> Finding:
    try:
        is_running, text = CHECKS[part](redis)
    except NoPermissionError:
        return Finding(part, "warn", "not visible to this Redis user; check it on its own machine")
    except RedisError as error:
        return Finding(part, "block", f"unknown, because Redis does not respond ({type(error).__name__})")
    return Finding(part, "pass" if is_running else "block", text)


def _check_redis(redis: "Redis") -> tuple[bool, str]:
    redis.ping()
    return True, "responds"


def _check_bot(redis: "Redis") -> tuple[bool, str]:
    is_connected = bool(redis.get(BOT_CONNECTED_KEY))
    return is_connected, "connected to Slack" if is_connected else "not connected to Slack"


def _check_reconciler(redis: "Redis") -> tuple[bool, str]:
    is_running = bool(redis.get(RECONCILER_KEY))
    return is_running, "running" if is_running else "not running"


def _check_workers(queue: str) -> Callable[["Redis"], tuple[bool, str]]:
    def check(redis: "Redis") -> tuple[bool, str]:
        number = count_workers(redis, queue)
        return number > 0, f"{number} RQ workers running" if number else "no RQ worker is running"

    return check


CHECKS: dict[str, Callable[["Redis"], tuple[bool, str]]] = {
    "redis": _check_redis,
    "bot": _check_bot,
    "reconciler": _check_reconciler,
    CHANGES_QUEUE: _check_workers(CHANGES_QUEUE),
    READS_QUEUE: _check_workers(READS_QUEUE),
}
