"""The connection to Redis: the one that `REDIS_URL` names, or an embedded server, started when needed.

A write whose reply was lost is repeated by the client: what is written is therefore keyed or numbered by its writers.
"""

import time

from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import TimeoutError as NoReply
from redis.retry import Retry

from imker import embedded

PATIENCE = 10  # seconds to wait for Redis at the start
SOCKET_TIMEOUT = 5  # seconds; a blocking read asks for less
PATIENT = 25  # tries, for who keeps nobody waiting: about 20 s; a lock's lease is longer


class NoRedis(Exception):
    """Redis could not be reached; the text says where and what to do."""


def connect(url: str | None, tries: int = 5) -> Redis:
    """A client that answers. Without `url`: the embedded server's. `tries`: of each command. Raises NoRedis."""
    where = url or _embedded()
    client = Redis.from_url(
        where,
        socket_timeout=SOCKET_TIMEOUT,
        socket_connect_timeout=SOCKET_TIMEOUT,
        retry=Retry(ExponentialBackoff(cap=1, base=0.05), tries),
        health_check_interval=30,
    )
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            client.ping()
            return client
        except (NoConnection, NoReply) as failed:
            if time.monotonic() > deadline:
                hint = "is it running, and is REDIS_URL right?" if url else embedded.trouble()
                raise NoRedis(f"Redis does not answer ({failed}); {hint}") from failed
            time.sleep(0.1)


def _embedded() -> str:
    try:
        return embedded.ensure()
    except OSError as failed:
        raise NoRedis(f"no Redis of Imker's own can be started ({failed}); set REDIS_URL to one of yours") from failed
