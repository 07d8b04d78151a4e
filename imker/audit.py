"""The record in Redis: a stream that is only ever appended to, and its head beside it. The only writer of both.

Bot and jobs append at the same time: an entry is linked to the head that was read, and taken only if that still is
the head. A repeat after a lost reply, or of what Slack delivers twice, is known by its fact's ID, and adds nothing.
"""

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn

from redis import Redis
from redis.exceptions import ResponseError

from imker import chain
from imker.chain import Entry, Fact, Head
from imker.outage import outage

STREAM, HEAD = "audit", "audit:head"
KNOWN = 7 * 24 * 3600  # seconds a fact's ID is known: longer than anybody repeats anything
PAGE, TRIES = 500, 500  # entries read at once; times that others may come first
# Returns {"known", number, fields} for the entry that the fact's ID points at, unless that is ARGV[7], which the writer
# has read and does not believe; {"added"}; or {"late"} when the head is another by now. A false ID stops nothing.
APPEND = """
local known = redis.pcall('get', KEYS[3])
if type(known) == 'string' and #known < 17 and string.match(known, '^%d+$') and known ~= ARGV[7] then
  local found = redis.call('xrange', KEYS[1], known .. '-0', known .. '-0')[1]
  if found then return {'known', known, found[2]} end
end
local head = redis.call('hmget', KEYS[2], 'seq', 'hash')
if (head[1] or '0') ~= ARGV[1] or (head[2] or '') ~= ARGV[2] then return {'late'} end
redis.call('xadd', KEYS[1], ARGV[3] .. '-0', 'entry', ARGV[5])
redis.call('hset', KEYS[2], 'seq', ARGV[3], 'hash', ARGV[4])
redis.call('set', KEYS[3], ARGV[3], 'ex', ARGV[6])
return {'added'}
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
        """Add the fact and return its number, the one it had if it is there already. Raises RecordBroken, RedisError.

        Only the entry itself shows that it is there: anybody who writes to Redis can set a fact's ID.
        """
        disbelieved = b""
        for _ in range(TRIES):
            head = self.head()
            entry = chain.link(head, fact, self._clock(), self._key)
            answer, *found = self._put(head, entry, disbelieved)
            if answer == b"added":
                return entry.seq
            if answer == b"known":
                disbelieved, fields = found
                if (there := _entry(_pairs(fields))) and chain.holds(there, fact, self._key):
                    return there.seq
        raise RecordBroken(f"others came first {TRIES} times; nothing was recorded")

    def head(self) -> Head | None:
        """Raises RecordBroken for what is no head."""
        try:
            kept: Any = self._redis.hgetall(HEAD)
        except ResponseError as refused:
            _give_up(refused)
        return _head(kept) if kept else None

    def entries(self) -> Iterator[Entry | None]:
        """All, oldest first; None for what is no entry."""
        start = "-"
        while page := self._page(self._redis.xrange, start, "+"):
            yield from (entry for _, entry in page)
            start = f"({page[-1][0]}"

    def newest(self) -> Iterator[Entry]:
        """All that can be read, newest first."""
        end = "+"
        while page := self._page(self._redis.xrevrange, end, "-"):
            yield from (entry for _, entry in page if entry)
            end = f"({page[-1][0]}"

    def _put(self, head: Head | None, entry: Entry, disbelieved: bytes) -> list[Any]:
        keys = (STREAM, HEAD, f"audit:id:{entry.fact.id}")
        before = (str(head.seq), head.hash) if head else ("0", "")
        values = (*before, str(entry.seq), entry.hash, chain.encode(entry), str(KNOWN), disbelieved)
        try:
            return list(self._redis.eval(APPEND, 3, *keys, *values))
        except ResponseError as refused:
            _give_up(refused)

    def _page(self, ask: Callable[..., Any], start: str, end: str) -> list[tuple[str, Entry | None]]:
        try:
            return [(number.decode(), _entry(fields)) for number, fields in ask(STREAM, start, end, PAGE)]
        except ResponseError as refused:
            if str(refused).startswith("WRONGTYPE"):
                _give_up(refused)
            raise


def _entry(fields: Mapping[bytes, bytes]) -> Entry | None:
    """Return None for fields that are not one entry alone."""
    return chain.decode(fields[b"entry"]) if fields.keys() == {b"entry"} else None


def _pairs(fields: list[bytes]) -> dict[bytes, bytes]:
    """Return what a script has of an entry's fields; nothing if one is there twice."""
    pairs = dict(zip(fields[::2], fields[1::2], strict=True))
    return pairs if 2 * len(pairs) == len(fields) else {}


def _head(kept: Mapping[bytes, bytes]) -> Head:
    seq, digest = kept.get(b"seq", b""), kept.get(b"hash", b"")
    if not re.fullmatch(rb"[1-9][0-9]{0,15}", seq) or not re.fullmatch(rb"[0-9a-f]{64}", digest):
        raise RecordBroken(f"nothing can be added to the record: {HEAD} in Redis is no head")
    return Head(int(seq), digest.decode(), "the head in Redis")


def _give_up(refused: ResponseError) -> NoReturn:
    """Raise an outage as it is: a full disk breaks no record."""
    if outage(refused):
        raise refused
    raise RecordBroken(f"nothing can be added to the record, or read: {refused}") from refused
