"""Connect to Redis: the server in `REDIS_URL`, or the embedded server, which is started if needed.

The client repeats a write whose reply was lost. Every write must therefore be idempotent: keyed or numbered.
"""

import time

from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import TimeoutError as NoReply
from redis.retry import Retry

from imker import embedded_redis

STARTUP_TIMEOUT = 10  # seconds to wait for Redis at startup
SOCKET_TIMEOUT = 5  # seconds; blocking reads use less
WORKER_RETRIES = 25  # retries of an RQ worker: about 20 s in all, less than the lease of a lock


class RedisUnavailable(Exception):
    """Raised if Redis cannot be reached. The text says why and what to do."""


def connect(url: str | None, retries: int = 5) -> Redis:
    """Return a connected client. `url`: None for the embedded server; `retries`: how often each command is retried.

    Raises RedisUnavailable.
    """
    address = url or _start_embedded()
    client = Redis.from_url(
        address,
        socket_timeout=SOCKET_TIMEOUT,
        socket_connect_timeout=SOCKET_TIMEOUT,
        retry=Retry(ExponentialBackoff(cap=1, base=0.05), retries),
        health_check_interval=30,
        driver_info=None,  # each connection would parse the client's package metadata, and wait for two more replies
    )
    deadline = time.monotonic() + STARTUP_TIMEOUT
    while True:
        try:
            client.ping()
            return client
        except (NoConnection, NoReply) as error:
            if time.monotonic() > deadline:
                hint = (
                    "check that it is running and that REDIS_URL is correct"
                    if url
                    else embedded_redis.explain_failure()
                )
                raise RedisUnavailable(f"Redis is not responding ({error}); {hint}") from error
            time.sleep(0.1)


def _start_embedded() -> str:
    try:
        return embedded_redis.start_or_join()
    except OSError as error:
        raise RedisUnavailable(
            f"the embedded Redis cannot be started ({error}); set REDIS_URL to use your own server"
        ) from error
