"""Restrict RQ jobs to one function, without callbacks or webhooks.

RQ itself imports and calls any function whose name is in Redis.
"""

import json
import re
import zlib
from collections.abc import Callable
from functools import partial
from typing import Any

from redis import Redis
from rq.exceptions import InvalidJobOperation, NoSuchJobError
from rq.job import Job, JobStatus
from rq.utils import str_to_date

from imker import redis_fields
from imker.protocol.version import JOB_FUNCTION

JOB_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
MAX_DATA_BYTES = 2**20  # of a job's arguments, compressed or not; a request for 200 hosts takes a tenth of it
MAX_RUN_SECONDS, MAX_RETENTION_SECONDS = 24 * 3600, 30 * 24 * 3600  # seconds
STATUS_LIMITS = {"status": 32}  # bytes
FIELD_LIMITS = {
    **STATUS_LIMITS,
    "data": MAX_DATA_BYTES,
    "origin": 64,
    "created_at": 64,
    "timeout": 16,
    "result_ttl": 16,
    "failure_ttl": 16,
}


class AllowlistedJob(Job):
    """An RQ job that reads only the fields it needs, and can run only `jobs.run.run`."""

    @property
    def func(self) -> Callable[..., Any]:
        """Return `jobs.run.run`, or a function that rejects the job if it names another one."""
        from jobs import run

        if self.func_name != JOB_FUNCTION or self._instance is not None:
            return partial(run.reject, f"this RQ worker runs {JOB_FUNCTION} only, not {self.func_name}")
        return run.run

    @classmethod
    def fetch(cls, id: str, connection: "Redis | None" = None, serializer: Any = None) -> "AllowlistedJob":
        """Read the job of that ID. Raises NoSuchJobError if there is none, or if it is malformed."""
        if not JOB_ID.fullmatch(id):
            raise NoSuchJobError("not a job ID")
        job = cls(id, connection=connection, serializer=serializer)
        job.refresh()
        return job

    def refresh(self) -> None:
        """Read the fields from Redis. Raises NoSuchJobError."""
        try:
            self.restore(redis_fields.read_bounded_fields(self.connection, self.key, FIELD_LIMITS))
        except redis_fields.UnusableField as error:
            raise NoSuchJobError(str(error)) from error

    def restore(self, raw_data: Any) -> None:
        """Parse `raw_data`, the fields of FIELD_LIMITS. Raises NoSuchJobError if one is missing or malformed."""
        try:
            self._read_fields(raw_data)
        except KeyError as error:
            raise NoSuchJobError(f"field {error} is missing") from error
        except (ValueError, OverflowError, RecursionError, zlib.error) as error:
            raise NoSuchJobError(f"malformed: {error}"[:200]) from error

    def _read_fields(self, raw: dict[str, bytes]) -> None:
        self.data = _decompress(raw["data"])
        self._func_name, self._instance, self._args, self._kwargs = _parse_call(self.data)
        self.origin = raw["origin"].decode()
        self._status = JobStatus(raw["status"].decode())
        self.created_at = str_to_date(raw["created_at"])
        self.timeout = _parse_seconds(raw["timeout"], MAX_RUN_SECONDS)
        self.result_ttl = _parse_seconds(raw["result_ttl"], MAX_RETENTION_SECONDS) if "result_ttl" in raw else None
        self.failure_ttl = _parse_seconds(raw["failure_ttl"], MAX_RETENTION_SECONDS) if "failure_ttl" in raw else None

    def _fetch_status(self) -> JobStatus:
        """Return the job's status. Raises InvalidJobOperation if it has none.

        An unknown status counts as CREATED, which RQ never treats as a successful end.
        """
        try:
            status = redis_fields.read_bounded_fields(self.connection, self.key, STATUS_LIMITS)["status"]
        except (redis_fields.UnusableField, KeyError) as error:
            raise InvalidJobOperation(f"job {self.id} has no status") from error
        return next((member for member in JobStatus if member.value.encode() == status), JobStatus.CREATED)


def _decompress(data: bytes) -> bytes:
    """Return the data decompressed, or as it is if it is not compressed.

    Raises ValueError if it is truncated, or larger than MAX_DATA_BYTES when decompressed.
    """
    decompressor = zlib.decompressobj()
    try:
        decompressed = decompressor.decompress(data, MAX_DATA_BYTES)
    except zlib.error:
        return data
    if not decompressor.eof:
        raise ValueError("data is too large, or truncated")
    return decompressed


def _parse_call(data: bytes) -> tuple[str, object, list[Any], dict[str, Any]]:
    """Parse the function name, instance, arguments, and keyword arguments. Raises ValueError."""
    match json.loads(data):
        case [str() as name, instance, list() as arguments, dict() as named]:
            return name, instance, arguments, named
    raise ValueError("data is not a function call")


def _parse_seconds(text: bytes, maximum: int) -> int:
    """Parse a duration. Raises ValueError unless it is positive and at most `maximum`."""
    seconds = int(text)
    if not 0 < seconds <= maximum:
        raise ValueError(f"a duration of {seconds} seconds is out of range")
    return seconds
