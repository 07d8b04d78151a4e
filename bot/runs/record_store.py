"""Store run records, the indexes of runs, and response URLs in Redis.

A run's record is written once, and so is each decision, under its own key. Every value is signed, so a
value that others write to Redis is never taken for a command.
"""

import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from pydantic import TypeAdapter, ValidationError
from redis import Redis

from bot.records import DAY, RETENTION, RunRecord
from bot.runs.decisions import DecisionStore, Value, WrittenByNewerVersion, parse_stored
from bot.runs.home_viewers import HomeViewers, Welcomes
from bot.runs.lost_runs import LostRuns
from bot.runs.posted_messages import PostedMessages
from bot.runs.watch_store import WatchStore
from imker import clock, signing
from imker.clock import Timestamp
from imker.ignored_values import log_ignored
from imker.protocol import version
from imker.protocol.events import NodeTable
from imker.signing import SigningKey

DELIVERY_TTL = DAY  # seconds during which a repeated delivery is recognized
RESPONSE_URL_TTL = 30 * 60  # seconds during which Slack accepts a response_url
OPEN_RUNS_KEY, RECENT_RUNS_KEY = "bot:open", "bot:recent"
_RECORD: TypeAdapter[RunRecord] = TypeAdapter(RunRecord)
_HOSTS: TypeAdapter[tuple[str, ...]] = TypeAdapter(tuple[str, ...])
_NODES: TypeAdapter[NodeTable] = TypeAdapter(NodeTable)


class RecordStore:
    """Read and write run records.

    `clock` returns UNIX seconds, `now` a timestamp that survives clock changes. `key` signs every stored value and
    every request.
    """

    def __init__(
        self,
        redis: "Redis",
        clock: Callable[[], float],
        key: SigningKey,
        now: Callable[[], Timestamp] = clock.take_timestamp,
    ) -> None:
        self._redis = redis
        self._clock = clock
        self._key = key
        self._now = now
        self._decisions = DecisionStore(redis, key)
        self.posted_messages = PostedMessages(redis, key)
        self.lost = LostRuns(redis)
        self.home, self.welcomes = HomeViewers(redis), Welcomes(redis)
        self.watch = WatchStore(redis, key)

    # --- records ---

    def write_record(self, record: RunRecord) -> bool:
        """Write the record unless its run exists. Return whether the run is new."""
        place = record_key(record.run)
        signed_text = signing.sign_for(self._key, place, _RECORD.dump_json(record).decode())
        return bool(self._redis.set(place, signed_text, nx=True, ex=RETENTION))

    def record(self, run: str) -> RunRecord | None:
        """Return the record as it was written, without decisions; None if there is no such run.

        Raises WrittenByNewerVersion.
        """
        return self._parse_record(run, self._redis.get(record_key(run)))

    def _parse_record(self, run: str, stored: object) -> RunRecord | None:
        verified = signing.open_signed(self._key, record_key(run), stored)
        return None if verified is None else parse_stored(_RECORD, record_key(run), verified)

    # --- indexes ---

    def index_run(self, record: RunRecord) -> None:
        """Add the run to the open and recent runs. Drop recent runs that are older than RETENTION."""
        self._redis.zadd(RECENT_RUNS_KEY, {record.run: record.requested_at})
        self._redis.zremrangebyscore(RECENT_RUNS_KEY, "-inf", self._clock() - RETENTION)
        self.reopen(record.run)

    def open_runs(self) -> list[str]:
        """Return the IDs of all runs that the reconciler still follows."""
        return sorted(run.decode(errors="replace") for run in self._redis.smembers(OPEN_RUNS_KEY))  # type: ignore[union-attr]

    def open_records(self) -> list[RunRecord]:
        """Return the records of all open runs that can be read, without decisions."""
        return self._readable(self.open_runs())

    def recent(self, number: int) -> list[RunRecord]:
        """Return the records of the last `number` runs that can be read, newest first, without decisions."""
        runs: Any = self._redis.zrevrange(RECENT_RUNS_KEY, 0, number - 1)
        return self._readable(run.decode(errors="replace") for run in runs)

    def close(self, run: str) -> None:
        """Remove the run from the open runs."""
        self._redis.srem(OPEN_RUNS_KEY, run)

    def reopen(self, run: str) -> None:
        """Add the run to the open runs."""
        self._redis.sadd(OPEN_RUNS_KEY, run)

    def _readable(self, runs: Iterable[str]) -> list[RunRecord]:
        """Skip records of another version, so that they hide no other run."""
        names = list(runs)
        pipeline = self._redis.pipeline(transaction=False)
        for run in names:
            pipeline.get(record_key(run))
        records = []
        for run, stored in zip(names, pipeline.execute(), strict=True):
            with suppress(WrittenByNewerVersion):
                records.append(self._parse_record(run, stored))
        return [record for record in records if record is not None]

    # --- Slack deliveries, response URLs, and the inventory ---

    def claim_delivery(self, delivery: str) -> bool:
        """Return whether this is the first delivery with this ID."""
        claim = uuid.uuid4().hex.encode()  # a write that is repeated after a lost reply finds its own value
        self._redis.set(f"bot:seen:{delivery}", claim, nx=True, ex=DELIVERY_TTL)
        return self._redis.get(f"bot:seen:{delivery}") == claim

    def write_response_url(self, run: str, url: str) -> None:
        """Store where the requester can be answered privately, as long as Slack accepts that URL."""
        place = _response_url_key(run)
        self._redis.set(place, signing.sign_for(self._key, place, url), ex=RESPONSE_URL_TTL)

    def response_url(self, run: str) -> str:
        """Return where the requester can be answered privately, "" if that is unknown or has expired."""
        place = _response_url_key(run)
        stored = self._redis.get(place)
        url = signing.open_signed(self._key, place, stored)
        if url is None and stored is not None:
            log_ignored(place, "a response_url")
        return url or ""

    def hosts(self) -> tuple[str, ...]:
        """Return the host names that the RQ workers published, () if that value is missing or invalid."""
        return self._published(version.INVENTORY_KEY, _HOSTS) or ()

    def last_nodes(self) -> NodeTable | None:
        """Return the last node table that an RQ worker saw, None if that value is missing or invalid."""
        return self._published(version.LAST_NODES_KEY, _NODES)

    def _published(self, key: str, adapter: TypeAdapter[Value]) -> Value | None:
        """Return what the RQ workers published under this key, None if that is missing or invalid."""
        stored = signing.open_signed(self._key, key, self._redis.get(key))
        try:
            return adapter.validate_json(stored) if stored is not None else None
        except ValidationError:
            return None


def record_key(run: str) -> str:
    """Return the key of a run's record."""
    return f"bot:run:{run}"


def _response_url_key(run: str) -> str:
    return f"{record_key(run)}:answer"
