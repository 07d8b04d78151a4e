"""Search for planted secrets in Redis and in text where none may appear."""

import zlib
from collections.abc import Iterable, Iterator
from typing import Any

from redis import Redis

SECRET_FORMS = (  # how files, the daemon, and tools of a host write a secret
    'http_proxy=http://imker:{0}@proxy:3128/', 'https_proxy=imker:{0}@proxy:3128', "ftp_proxy=http://imker:a/@'{0}@proxy:3128/",
    '"http-proxy": "http:\\/\\/imker:{0}@proxy:3128"', "password='{0}'", "token = '{0}'", 'PASSWORD="two words, {0}"',
    "password=a,{0}", "DB_PASS={0}", "PASSPHRASE={0}", "pwd={0}", '"auth": "{0}"', "Authorization: Basic {0}",
    "Authorization: Bearer {0}", "--log-opt splunk-token={0}", "--log-opt splunk-token {0}",
    'Environment="TOKEN=two {0}"',
)  # fmt: skip


def render_secret_forms(secret: str) -> str:
    """Return the secret in each of these forms, one per line."""
    return "\n".join(form.format(secret) for form in SECRET_FORMS)


def dump_redis(redis: Redis) -> str:
    """Return every key with all its fields and values as text.

    Redis' DUMP is of no use here: it compresses values, which would hide a secret.
    """
    return "\n".join(
        text
        for key in sorted(redis.scan_iter())
        for text in (key.decode(), *map(_decode_value, _key_values(redis, key)))
    )


def find_leaks(secrets: Iterable[str], text: str) -> list[str]:
    """Return the secrets that the text contains, also if only the first half of one is left after truncation."""
    return [secret for secret in secrets if secret in text or secret[: max(12, len(secret) // 2)] in text]


def _key_values(redis: Any, key: bytes) -> Iterator[Any]:
    match redis.type(key):
        case b"string":
            yield redis.get(key)
        case b"hash":
            yield from (part for pair in redis.hgetall(key).items() for part in pair)
        case b"list":
            yield from redis.lrange(key, 0, -1)
        case b"set":
            yield from redis.smembers(key)
        case b"zset":
            yield from redis.zrange(key, 0, -1)
        case b"stream":
            yield from (part for _, entry in redis.xrange(key) for pair in entry.items() for part in pair)


def _decode_value(value: bytes | None) -> str:
    """Return a value as text. RQ compresses its jobs with zlib."""
    try:
        return zlib.decompress(value or b"").decode(errors="replace")
    except zlib.error:
        return (value or b"").decode(errors="replace")
