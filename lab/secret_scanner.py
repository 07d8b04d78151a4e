"""Looking for planted secrets where none may be: all that a Redis holds, unpacked as its users would."""

import zlib
from collections.abc import Iterable, Iterator
from typing import Any

from redis import Redis

SECRET_FORMS = (  # how a host's files, its daemon and its tools write a secret down
    'http_proxy=http://imker:{0}@proxy:3128/', 'https_proxy=imker:{0}@proxy:3128', "ftp_proxy=http://imker:a/@'{0}@proxy:3128/",
    '"http-proxy": "http:\\/\\/imker:{0}@proxy:3128"', "password='{0}'", "token = '{0}'", 'PASSWORD="two words, {0}"',
    "password=a,{0}", "DB_PASS={0}", "PASSPHRASE={0}", "pwd={0}", '"auth": "{0}"', "Authorization: Basic {0}",
    "Authorization: Bearer {0}", "--log-opt splunk-token={0}", "--log-opt splunk-token {0}",
    'Environment="TOKEN=two {0}"',
)  # fmt: skip


def render_secret_forms(secret: str) -> str:
    """In all of these forms, a line each."""
    return "\n".join(form.format(secret) for form in SECRET_FORMS)


def dump_redis(redis: Redis) -> str:
    """Every key, with every field and value of it: DUMP would compress them, and hide what is looked for."""
    return "\n".join(
        text
        for key in sorted(redis.scan_iter())
        for text in (key.decode(), *map(_decode_value, _key_values(redis, key)))
    )


def find_leaks(secrets: Iterable[str], text: str) -> list[str]:
    """Those that are there, whole or in the half that a cut would leave; also as JSON writes them."""
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
    """RQ packs its jobs."""
    try:
        return zlib.decompress(value or b"").decode(errors="replace")
    except zlib.error:
        return (value or b"").decode(errors="replace")
