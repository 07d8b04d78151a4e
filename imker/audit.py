"""The record in Redis: a stream that is only ever appended to, and its head beside it. The only writer of both.

Bot and jobs append at the same time: an entry is linked to the head that was read, and taken only if that still is
the head. A repeat after a lost reply, or of what Slack delivers twice, is known by its fact's ID, and adds nothing.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from redis import Redis
from redis.exceptions import ResponseError

from imker import chain
from imker.chain import Entry, Fact, Head
from imker.outage import outage

STREAM, HEAD = "audit", "audit:head"
KNOWN = 7 * 24 * 3600  # seconds a fact's ID is known: longer than anybody repeats anything
PAGE, TRIES = 500, 500  # entries read at once; times that others may come first
# Returns {1, seq} when it is in the record, now or before; {0, seq, hash} of the head that others have set meanwhile.
APPEND = """
local known = redis.call('get', KEYS[3])
if known then return {1, tonumber(known)} end
local head = redis.call('hmget', KEYS[2], 'seq', 'hash')
if (head[2] or '') ~= ARGV[1] then return {0, tonumber(head[1] or 0), head[2] or ''} end
redis.call('xadd', KEYS[1], ARGV[2] .. '-0', 'entry', ARGV[4])
redis.call('hset', KEYS[2], 'seq', ARGV[2], 'hash', ARGV[3])
redis.call('set', KEYS[3], ARGV[2], 'ex', ARGV[5])
return {1, tonumber(ARGV[2])}
"""


class RecordBroken(Exception):
    """Nothing can be added: what is in Redis is not a record that goes on."""


def key(environment: Mapping[str, str] = os.environ) -> bytes | None:
    return environment.get("IMKER_AUDIT_KEY", "").encode() or None


class Audit:
    """`clock`: UNIX seconds; `key`: of the entries' HMAC."""

    def __init__(self, redis: "Redis", key: bytes | None = None, clock: Callable[[], float] = time.time) -> None:
        self._redis = redis
        self._key = key
        self._clock = clock

    def append(self, fact: Fact) -> int:
        """The entry's number, the one it had when it is there already. Raises RecordBroken, and RedisError."""
        head = self.head()
        for _ in range(TRIES):
            entry = chain.link(head, fact, self._clock(), self._key)
            taken, seq, *other = self._put(head, entry)
            if taken:
                return int(seq)
            head = Head(int(seq), other[0].decode()) if other[0] else None
        raise RecordBroken(f"others came first {TRIES} times; nothing was recorded")

    def head(self) -> Head | None:
        kept: Any = self._redis.hgetall(HEAD)
        return Head(int(kept[b"seq"]), kept[b"hash"].decode(), "the head in Redis") if kept else None

    def entries(self) -> Iterator[Entry | None]:
        """All, oldest first; None for what is no entry."""
        start = "-"
        while page := self._page(self._redis.xrange(STREAM, start, "+", PAGE)):
            yield from (entry for _, entry in page)
            start = f"({page[-1][0]}"

    def newest(self) -> Iterator[Entry]:
        """All that can be read, newest first."""
        end = "+"
        while page := self._page(self._redis.xrevrange(STREAM, end, "-", PAGE)):
            yield from (entry for _, entry in page if entry)
            end = f"({page[-1][0]}"

    def _put(self, head: Head | None, entry: Entry) -> list[Any]:
        keys = (STREAM, HEAD, f"audit:id:{entry.fact.id}")
        values = (head.hash if head else "", entry.seq, entry.hash, chain.encode(entry), KNOWN)
        try:
            return list(self._redis.eval(APPEND, 3, *keys, *map(str, values)))
        except ResponseError as refused:
            if outage(refused):
                raise
            raise RecordBroken(f"nothing can be added to the record: {refused}") from refused

    def _page(self, found: Any) -> list[tuple[str, Entry | None]]:
        return [(number.decode(), chain.decode(fields.get(b"entry", b""))) for number, fields in found]
