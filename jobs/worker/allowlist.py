"""Run one function only, without callbacks or webhooks: RQ itself would import any name that Redis holds."""

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
MAX_DATA_BYTES = 2**20  # bytes of what a job is called with, packed or not: two hundred hosts take a tenth of it
MAX_RUN_SECONDS, MAX_RETENTION_SECONDS = 24 * 3600, 30 * 24 * 3600  # seconds
STATUS_LIMITS = {"status": 32}
FIELD_LIMITS = {
    **STATUS_LIMITS, "data": MAX_DATA_BYTES, "origin": 64, "created_at": 64, "timeout": 16, "result_ttl": 16, "failure_ttl": 16
}  # fmt: skip


class AllowlistedJob(Job):
    @property
    def func(self) -> Callable[..., Any]:
        from jobs import run

        if self.func_name != JOB_FUNCTION or self._instance is not None:
            return partial(run.reject, f"this RQ worker runs {JOB_FUNCTION} only, not {self.func_name}")
        return run.run

    @classmethod
    def fetch(cls, id: str, connection: "Redis | None" = None, serializer: Any = None) -> "AllowlistedJob":
        """Raises NoSuchJobError."""
        if not JOB_ID.fullmatch(id):
            raise NoSuchJobError("not an ID of a job")
        job = cls(id, connection=connection, serializer=serializer)
        job.refresh()
        return job

    def refresh(self) -> None:
        """Raises NoSuchJobError."""
        try:
            self.restore(redis_fields.read_bounded_fields(self.connection, self.key, FIELD_LIMITS))
        except redis_fields.UnusableField as unfit:
            raise NoSuchJobError(str(unfit)) from unfit

    def restore(self, raw_data: Any) -> None:
        """`raw_data`: the fields of LIMITS. Raises NoSuchJobError."""
        try:
            self._read_fields(raw_data)
        except KeyError as missing:
            raise NoSuchJobError(f"without {missing}") from missing
        except (ValueError, OverflowError, RecursionError, zlib.error) as wrong:
            raise NoSuchJobError(f"malformed: {wrong}"[:200]) from wrong

    def _read_fields(self, raw: dict[str, bytes]) -> None:
        self.data = _unpack(raw["data"])
        self._func_name, self._instance, self._args, self._kwargs = _parse_call(self.data)
        self.origin = raw["origin"].decode()
        self._status = JobStatus(raw["status"].decode())
        self.created_at = str_to_date(raw["created_at"])
        self.timeout = _parse_seconds(raw["timeout"], MAX_RUN_SECONDS)
        self.result_ttl = _parse_seconds(raw["result_ttl"], MAX_RETENTION_SECONDS) if "result_ttl" in raw else None
        self.failure_ttl = _parse_seconds(raw["failure_ttl"], MAX_RETENTION_SECONDS) if "failure_ttl" in raw else None

    def _fetch_status(self) -> JobStatus:
        """Raises InvalidJobOperation without a job. A status that RQ does not know is that of no orderly end."""
        try:
            status = redis_fields.read_bounded_fields(self.connection, self.key, STATUS_LIMITS)["status"]
        except (redis_fields.UnusableField, KeyError) as none:
            raise InvalidJobOperation(f"job {self.id} has no status") from none
        known = (one for one in JobStatus if one.value.encode() == status)
        return next(known, JobStatus.CREATED)


def _unpack(data: bytes) -> bytes:
    """RQ packs it; unpacked is as good. Raises ValueError for what is too large unpacked, or cut off."""
    unpacking = zlib.decompressobj()
    try:
        unpacked = unpacking.decompress(data, MAX_DATA_BYTES)
    except zlib.error:
        return data
    if not unpacking.eof:
        raise ValueError("its data is too large, or cut off")
    return unpacked


def _parse_call(data: bytes) -> tuple[str, object, list[Any], dict[str, Any]]:
    """A function's name, an object, arguments. Raises ValueError."""
    match json.loads(data):
        case [str() as name, instance, list() as arguments, dict() as named]:
            return name, instance, arguments, named
    raise ValueError("its data calls nothing")


def _parse_seconds(text: bytes, most: int) -> int:
    """Raises ValueError."""
    seconds = int(text)
    if not 0 < seconds <= most:
        raise ValueError(f"{seconds} is no time that a job may take, or be kept")
    return seconds
