"""Load a run from Redis as one value, once for each look at it."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from bot.records import Decision, QueueStatus, RunRecord
from bot.runs import queue
from bot.runs.decisions import TamperedRecord, slot_key
from bot.runs.record_store import RecordStore, record_key
from bot.state.decided_record import Slot, apply_decisions, more_slots, question_of
from bot.state.run_state import RunState, fold
from imker.protocol import version
from imker.protocol.commands import Hold
from imker.protocol.event_log import EventLog
from imker.protocol.events import DecisionRequested
from imker.protocol.signed import decode_latest_hold, decode_signed_events

FIRST_SLOT: Slot = (1, 1)


@dataclass(frozen=True)
class RunSnapshot:
    """A run at one moment. `hold`: the latest pause, resume, or cancel. `state`: folded from everything else."""

    log: EventLog
    hold: Hold | None
    state: RunState

    @property
    def record(self) -> RunRecord:
        """Return the run's record with all decisions on it."""
        return self.state.record

    @property
    def has_started(self) -> bool:
        """Return whether the run's last job has emitted an event."""
        return self.log.has_job(self.record.job_count)

    def answered_question(self) -> DecisionRequested | None:
        """Return the question whose decision led to the run's last job, None for its first job.

        Raises TamperedRecord if that question is gone or differs from the one that was decided.
        """
        if self.record.job_count == 1:
            return None
        last = self.record.decisions[-1]
        question = question_of(self.log, last.job)
        if question is None or question.fingerprint != last.fingerprint:
            raise TamperedRecord(
                f"The decision on job {last.job} of run {self.record.run} answers a different question"
            )
        return question


@dataclass(frozen=True)
class _Stored:
    """What one read returned. `decisions`: by slot, None for an empty one; other slots were not read."""

    record: RunRecord
    log: EventLog
    hold: Hold | None
    decisions: Mapping[Slot, bytes | None]


class SnapshotStore(RecordStore):
    """Load runs."""

    def snapshot(self, run: str) -> RunSnapshot | None:
        """Load and fold a run, or return None if there is no such run. Raises TamperedRecord."""
        slots = {FIRST_SLOT}
        while stored := self._read(run, slots):
            try:
                record = apply_decisions(stored.record, stored.log, partial(self._find, stored))
            except _SlotNotRead as missing:
                slots = more_slots(slots, missing.slot)
                continue
            status = self._job_status(record, stored.log)
            return RunSnapshot(stored.log, stored.hold, fold(record, stored.log, status, self._clock(), self._now()))
        return None

    def snapshots(self, runs: Iterable[str]) -> Iterator[RunSnapshot]:
        """Yield the runs that can be read. Skip forged and newer ones, so that they hide no other run."""
        for run in runs:
            with suppress(TamperedRecord):
                if loaded := self.snapshot(run):
                    yield loaded

    def _read(self, run: str, slots: set[Slot]) -> _Stored | None:
        """Read all of a run in one transaction: a decision is never seen without the question that it answers."""
        ordered = sorted(slots)
        pipeline = self._redis.pipeline()
        pipeline.get(record_key(run))
        pipeline.xrange(version.events_key(run))
        pipeline.zrevrange(version.hold_key(run), 0, -1, withscores=True)
        for slot in ordered:
            pipeline.get(slot_key(run, *slot))
        values: Any = pipeline.execute()
        stored_record, events, holds, *decisions = values
        record = self._parse_record(run, stored_record)
        if record is None:
            return None
        latest = decode_latest_hold(run, holds, self._key)
        log = decode_signed_events(run, events, self._key)
        return _Stored(record, log, latest[0] if latest else None, dict(zip(ordered, decisions, strict=True)))

    def _find(self, stored: _Stored, slot: Slot) -> Decision | None:
        if slot not in stored.decisions:
            raise _SlotNotRead(slot)
        value = stored.decisions[slot]
        return None if value is None else self._decisions.parse(slot_key(stored.record.run, *slot), value)

    def _job_status(self, record: RunRecord, log: EventLog) -> QueueStatus:
        """Return RQ's status of the run's last job. One that has reported its outcome needs none."""
        if log.last_job == record.job_count and log.outcome_of(record.job_count):
            return "finished"
        # The reconciler enqueues a recorded run that RQ does not have, until the request expires.
        if_missing: QueueStatus = "queued" if self._clock() < record.expires else "lost"
        return queue.job_status(self._redis, version.job_id(record.run, record.job_count), if_missing)


class _SlotNotRead(Exception):
    """Raised if a decision is needed that was not read."""

    def __init__(self, slot: Slot) -> None:
        super().__init__(slot)
        self.slot = slot
