"""Append to the audit log in Redis: a stream of entries and a hash with the latest one (the head). The only writer.

Bot and jobs append at the same time: Redis accepts an entry only if it was chained to the current head. A repeat, after
a lost reply or a second delivery from Slack, is detected by the fact's ID and adds nothing.
"""

import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn

from redis import Redis
from redis.exceptions import ResponseError

from imker import hash_chain
from imker.hash_chain import AuditFact, Entry, Head
from imker.redis_errors import unavailable_reason
from imker.secret_files import read_secret

STREAM_KEY, HEAD_KEY = "audit", "audit:head"
DEDUPE_TTL = 7 * 24 * 3600  # seconds that a fact's ID is remembered: longer than any repeat can take
PAGE_SIZE, MAX_APPEND_TRIES = 500, 500  # entries per read; tries while other processes append
TURN_TIMEOUT = 1.0  # seconds that a thread waits for its turn; with a slow Redis, all then try at once
# Return {"known", number, fields} of the entry that the fact's ID points at, {"added"}, or {"late"} if the head has
# changed. ARGV[7]: an entry that the writer has found not to be this fact's. A forged ID therefore stops nothing.
APPEND_SCRIPT = """
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


class AuditLogBroken(Exception):
    """Raised if nothing can be appended: the data in Redis is not an intact audit log."""


def read_audit_key(environment: Mapping[str, str] = os.environ) -> bytes | None:
    """Return IMKER_AUDIT_KEY, None if it is not set. Raises ConfigError if the file with it cannot be read."""
    return read_secret("IMKER_AUDIT_KEY", environment).encode() or None


class AuditLog:
    """The audit log. `key`: of the entries' HMAC; `clock`: UNIX seconds."""

    def __init__(self, redis: "Redis", key: bytes | None = None, clock: Callable[[], float] = time.time) -> None:
        self._redis = redis
        self._key = key
        self._clock = clock
        self._turn = threading.Lock()

    def append(self, fact: AuditFact) -> int:
        """Append the fact and return its number. If it was appended before, return that number.

        Only the entry itself proves that the fact was appended: others can set a fact's ID in Redis. Raises
        AuditLogBroken, RedisError.
        """
        with self._turn_taken():
            return self._append(fact)

    @contextmanager
    def _turn_taken(self) -> Iterator[None]:
        """Let the threads of this process append one after the other: each of them changes the others' head."""
        is_taken = self._turn.acquire(timeout=TURN_TIMEOUT)
        try:
            yield
        finally:
            if is_taken:
                self._turn.release()

    def _append(self, fact: AuditFact) -> int:
        disbelieved = b""
        for _ in range(MAX_APPEND_TRIES):
            head = self.head()
            entry = hash_chain.append_to(head, fact, self._clock(), self._key)
            answer, *details = self._try_append(head, entry, disbelieved)
            if answer == b"added":
                return entry.seq
            if answer == b"known":
                disbelieved, fields = details
                if (existing := _parse_entry(_pairs(fields))) and hash_chain.entry_holds(existing, fact, self._key):
                    return existing.seq
        raise AuditLogBroken(f"nothing was appended: other processes appended first, {MAX_APPEND_TRIES} times")

    def head(self) -> Head | None:
        """Return the latest entry's number and hash, None for an empty log. Raises AuditLogBroken, RedisError."""
        try:
            fields: Any = self._redis.hgetall(HEAD_KEY)
        except ResponseError as refused:
            _raise_broken(refused)
        return _parse_head(fields) if fields else None

    def entries(self) -> Iterator[Entry | None]:
        """Yield all entries, oldest first, and None for anything that is not an entry."""
        start = "-"
        while page := self._decode_page(self._redis.xrange, start, "+"):
            yield from (entry for _, entry in page)
            start = f"({page[-1][0]}"

    def newest_first(self) -> Iterator[Entry]:
        """Yield all entries that can be read, newest first."""
        end = "+"
        while page := self._decode_page(self._redis.xrevrange, end, "-"):
            yield from (entry for _, entry in page if entry)
            end = f"({page[-1][0]}"

    def _try_append(self, head: Head | None, entry: Entry, disbelieved: bytes) -> list[Any]:
        keys = (STREAM_KEY, HEAD_KEY, f"audit:id:{entry.fact.id}")
        before = (str(head.seq), head.hash) if head else ("0", "")
        values = (*before, str(entry.seq), entry.hash, hash_chain.encode_entry(entry), str(DEDUPE_TTL), disbelieved)
        try:
            return list(self._redis.eval(APPEND_SCRIPT, 3, *keys, *values))
        except ResponseError as error:
            _raise_broken(error)

    def _decode_page(self, ask: Callable[..., Any], start: str, end: str) -> list[tuple[str, Entry | None]]:
        try:
            return [
                (number.decode(), _parse_entry(fields)) for number, fields in ask(STREAM_KEY, start, end, PAGE_SIZE)
            ]
        except ResponseError as refused:
            if str(refused).startswith("WRONGTYPE"):
                _raise_broken(refused)
            raise


def _parse_entry(fields: Mapping[bytes, bytes]) -> Entry | None:
    """Return the entry, None if the fields are not exactly one entry."""
    return hash_chain.decode_entry(fields[b"entry"]) if fields.keys() == {b"entry"} else None


def _pairs(fields: list[bytes]) -> dict[bytes, bytes]:
    """Return the fields that a script returned, none if a field occurs twice."""
    pairs = dict(zip(fields[::2], fields[1::2], strict=True))
    return pairs if 2 * len(pairs) == len(fields) else {}


def _parse_head(fields: Mapping[bytes, bytes]) -> Head:
    seq, digest = fields.get(b"seq", b""), fields.get(b"hash", b"")
    if not re.fullmatch(rb"[1-9][0-9]{0,15}", seq) or not re.fullmatch(rb"[0-9a-f]{64}", digest):
        raise AuditLogBroken(f"nothing can be added to the audit log: {HEAD_KEY} in Redis is invalid")
    return Head(int(seq), digest.decode(), "the latest hash in Redis")


def _raise_broken(refused: ResponseError) -> NoReturn:
    """Raise AuditLogBroken, or the error itself if Redis is only unavailable, such as with a full disk."""
    if unavailable_reason(refused):
        raise refused
    raise AuditLogBroken(f"the audit log can be neither read nor extended: {refused}") from refused
