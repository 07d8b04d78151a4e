"""The connection to Redis: the one that `REDIS_URL` names, or an embedded server, started when needed.

A write whose reply was lost is repeated by the client: what is written is therefore keyed or numbered by its writers.
"""

import time

from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import TimeoutError as NoReply
from redis.retry import Retry

from imker import embedded_redis

STARTUP_TIMEOUT = 10  # seconds to wait for Redis at the start
SOCKET_TIMEOUT = 5  # seconds; a blocking read asks for less
WORKER_RETRIES = 25  # tries, for who keeps nobody waiting: about 20 s; a lock's lease is longer


class RedisUnavailable(Exception):
    """Redis could not be reached; the text says where and what to do."""


def connect(url: str | None, retries: int = 5) -> Redis:
    """A client that answers. Without `url`: the embedded server's. `tries`: of each command. Raises NoRedis."""
    address = url or _start_embedded()
    client = Redis.from_url(
        address,
        socket_timeout=SOCKET_TIMEOUT,
        socket_connect_timeout=SOCKET_TIMEOUT,
        retry=Retry(ExponentialBackoff(cap=1, base=0.05), retries),
        health_check_interval=30,
    )
    deadline = time.monotonic() + STARTUP_TIMEOUT
    while True:
        try:
            client.ping()
            return client
        except (NoConnection, NoReply) as error:
            if time.monotonic() > deadline:
                hint = "is it running, and is REDIS_URL right?" if url else embedded_redis.trouble()
                raise RedisUnavailable(f"Redis does not answer ({error}); {hint}") from error
            time.sleep(0.1)


def _start_embedded() -> str:
    try:
        return embedded_redis.start_or_join()
    except OSError as error:
        raise RedisUnavailable(
            f"no Redis of Imker's own can be started ({error}); set REDIS_URL to one of yours"
        ) from error
