"""Write malformed RQ jobs, each kind by name, as anyone with write access to Redis could."""

import itertools
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from redis import Redis

from imker.protocol.version import JOB_FUNCTION

Fields = dict[str, bytes | str | int]
CALL = [JOB_FUNCTION, None, ["a request", "a signature"], {}]
NOON = "2026-11-27T12:00:00.000000Z"
_numbers = itertools.count(1)


def packed(call: object) -> bytes:
    return zlib.compress(json.dumps(call).encode())


def complete_job(queue: str) -> Fields:
    """Return the fields of a valid job."""
    return {
        "data": packed(CALL), "origin": queue, "status": "queued", "timeout": 7200, "result_ttl": 86400,
        "failure_ttl": 604800, "created_at": NOON, "enqueued_at": NOON, "description": "run evil", "started_at": "",
        "ended_at": "", "worker_name": "",
    }  # fmt: skip


BOMB = zlib.compress(b"[" + b"0," * 40_000_000, 9)  # 80 MB from 78 KB
DEEP = b"[" * 100_000
HASHES: dict[str, Fields] = {  # what differs from a valid job; None: the field is missing
    "data that is none": {"data": "x"},
    "empty data": {"data": ""},
    "data of another kind": {"data": packed({"func": "x"})},
    "data that calls nothing": {"data": packed([None, None, [], {}])},
    "too few words": {"data": packed([JOB_FUNCTION, None])},
    "arguments that are none": {"data": packed([JOB_FUNCTION, None, "x", {}])},
    "names that are none": {"data": packed([JOB_FUNCTION, None, [], []])},
    "cut-off data": {"data": packed(CALL)[:-4]},
    "data that is a bomb": {"data": BOMB},
    "data that is huge": {"data": b"x" * (2**20 + 1)},
    "data that is deep": {"data": DEEP},
    "data that is deep and packed": {"data": zlib.compress(DEEP)},
    "a number without an end": {"data": b"[" + b"9" * 10_000 + b"]"},
    "half a character": {"data": b'["\xff", null, [], {}]'},
    "a pickle": {"data": b"\x80\x04\x95\x05\x00\x00\x00\x00\x00\x00\x00\x8c\x01x\x94."},
    "no date": {"created_at": "no date"},
    "an empty date": {"created_at": ""},
    "a date beyond all": {"created_at": "99999-99-99T99:99:99.000000Z"},
    "a date of other bytes": {"created_at": b"\xff\xfe"},
    "another queue": {"origin": "elsewhere"},
    "a queue of other bytes": {"origin": b"\xff"},
    "a queue's name that is huge": {"origin": "x" * 100_000},
    "a status that RQ does not know": {"status": "bogus"},
    "a status of other bytes": {"status": b"\xff"},
    "a time that is none": {"timeout": "x"},
    "no time at all": {"timeout": 0},
    "time without an end": {"timeout": -1},
    "more time than there is": {"timeout": "9" * 15},
    "a time that is huge": {"timeout": "9" * 5000},
    "kept for no time": {"result_ttl": "x"},
    "kept for longer than there is": {"result_ttl": "9" * 15},
    "its failure kept for no time": {"failure_ttl": "-x"},
}
MISSING = ("data", "origin", "status", "timeout", "created_at")
IDS = (b"\xff\xfe", b"", b"evil job", b"evil:0001", b"x" * 100_000, "übel".encode(), b"rq:job:x", b"a\nb")
Write = Callable[[Redis, str, str], bytes]


def _hash(fields: Fields, without: str = "") -> Write:
    def write(redis: Redis, name: str, queue: str) -> bytes:
        mapping = {key: value for key, value in {**complete_job(queue), **fields}.items() if key != without}
        redis.hset(f"rq:job:{name}", mapping=mapping)  # type: ignore[arg-type]
        return name.encode()

    return write


def _id(evil: bytes) -> Write:
    return lambda *_: evil


def _nothing(_: Redis, name: str, __: str) -> bytes:
    return name.encode()


BY_ANY: dict[str, Write] = {  # possible for each user that may enqueue
    **{kind: _hash(fields) for kind, fields in HASHES.items()},
    **{f"without {field}": _hash({}, field) for field in MISSING},
    **{f"the ID {evil[:12]!r}": _id(evil) for evil in IDS},
    "no job at all": _nothing,
}


def _list(redis: Redis, name: str, _: str) -> bytes:
    redis.rpush(f"rq:job:{name}", "x")
    return name.encode()


def _text(redis: Redis, name: str, _: str) -> bytes:
    redis.set(f"rq:job:{name}", "x")
    return name.encode()


def _stream(redis: Redis, name: str, _: str) -> bytes:
    redis.xadd(f"rq:job:{name}", {"x": "y"})
    return name.encode()


BY_ADMIN: dict[str, Write] = {"a list": _list, "a text": _text, "a stream": _stream}


@dataclass
class Poisoner:
    """Writes malformed jobs of all kinds in turn into both queues.

    `admin`: client for what `redis` may not write.
    """

    redis: Redis
    admin: Redis
    written: int = 0
    kinds: Iterator[tuple[str, Write, bool]] = field(
        default_factory=lambda: itertools.cycle(
            [(kind, write, False) for kind, write in BY_ANY.items()]
            + [(kind, write, True) for kind, write in BY_ADMIN.items()]
        )
    )

    def next(self) -> str:
        kind, write, as_admin = next(self.kinds)
        for queue in ("changes", "reads"):
            name = write(self.admin if as_admin else self.redis, fresh(), queue)
            self.redis.rpush(f"rq:queue:{queue}", name)
            self.written += 1
        return kind


def fresh() -> str:
    """Return a new job ID in the format of Imker."""
    return f"evil{next(_numbers):04d}-1"
