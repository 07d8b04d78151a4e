"""All that the bot keeps in Redis, and how it hands jobs to RQ. The only place of the bot that knows either.

A run's record is written once, and each decision once, under a key of its own: whatever dies in between, what was
accepted is enqueued again on the next look, under the same job ID, which RQ takes only once.
"""

import base64
import contextlib
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter
from redis import Redis
from rq import Queue
from rq.exceptions import DuplicateJobError, NoSuchJobError
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer

from bot.progress import RunView, fold
from bot.record import Decision, JobState, RunRecord
from jobs import contract
from jobs.contract import Approval, Event, Request, Waiting

DAY = 24 * 3600
KEPT, TIMEOUT = 30 * DAY, 2 * 3600  # seconds a run is kept; seconds a job may take
SEEN, ANSWERABLE = DAY, 30 * 60  # seconds a repeat is known; seconds a response_url works
OPEN, RECENT = "bot:open", "bot:recent"
STATES: dict[JobStatus, JobState] = {
    JobStatus.STARTED: "running",
    JobStatus.FINISHED: "over",
    JobStatus.FAILED: "lost",
    JobStatus.STOPPED: "lost",
    JobStatus.CANCELED: "lost",
}
_RECORD: TypeAdapter[RunRecord] = TypeAdapter(RunRecord)
_DECISION: TypeAdapter[Decision] = TypeAdapter(Decision)


def run_id(trigger: str) -> str:
    """The same for a command that Slack delivers twice; eight characters that can be told apart and typed."""
    return base64.b32encode(hashlib.sha256(trigger.encode()).digest()).decode().lower()[:8]


class Runs:
    """`clock`: UNIX seconds."""

    def __init__(self, redis: "Redis", clock: Callable[[], float]) -> None:
        self._redis = redis
        self._clock = clock

    # --- starting and deciding ---

    def start(self, record: RunRecord, response_url: str = "") -> bool:
        """Records and enqueues; False when this run was accepted before."""
        fresh = self._redis.set(_key(record.run), _RECORD.dump_json(record), nx=True, ex=KEPT)
        if response_url:
            self._redis.set(f"{_key(record.run)}:answer", response_url, ex=ANSWERABLE)
        self._redis.zadd(RECENT, {record.run: record.asked_at})
        self._redis.sadd(OPEN, record.run)
        self.enqueue(record)
        return bool(fresh)

    def decide(self, record: RunRecord, decision: Decision) -> Decision:
        """The one decision on that job's question: this one, or whichever was there before."""
        key = f"{_key(record.run)}:decision:{decision.job}"
        self._redis.set(key, _DECISION.dump_json(decision), nx=True, ex=KEPT)
        holds = _DECISION.validate_json(_bytes(self._redis.get(key)))
        if holds == decision:
            self._redis.sadd(OPEN, record.run)
            after = self.record(record.run)
            if after is not None and after.jobs > record.jobs:
                self.enqueue(after)
            self.ring(record.run)
        return holds

    def enqueue(self, record: RunRecord) -> None:
        """The run's last job; that RQ has it already is as good."""
        request = self._request(record)
        queue = Queue(contract.queue_of(request.command), connection=self._redis, serializer=JSONSerializer)
        with contextlib.suppress(DuplicateJobError):
            queue.enqueue(
                contract.JOB_FUNCTION,
                args=(contract.encode(request),),
                job_id=contract.job_id(record.run, record.jobs),
                unique=True,
                job_timeout=TIMEOUT,
                result_ttl=DAY,
                failure_ttl=7 * DAY,
                description=f"run {record.run}",
            )
        self.ring(record.run)

    def ring(self, run: str) -> None:
        self._redis.publish(contract.BELL, run)

    def first_seen(self, delivery: str) -> bool:
        """Whether this delivery of Slack's is the first of its kind."""
        return bool(self._redis.set(f"bot:seen:{delivery}", 1, nx=True, ex=SEEN))

    # --- looking ---

    def record(self, run: str) -> RunRecord | None:
        """As it was asked, with all decisions since; a decision that leads on counts a job more."""
        kept = self._redis.get(_key(run))
        if not isinstance(kept, bytes):
            return None
        record = _RECORD.validate_json(kept)
        while (made := self._redis.get(f"{_key(run)}:decision:{record.jobs}")) is not None:
            decision = _DECISION.validate_json(_bytes(made))
            record = replace(record, decisions=(*record.decisions, decision))
            if decision.verdict == "cancel":
                break
            record = replace(record, jobs=record.jobs + 1)
        return record

    def view(self, record: RunRecord) -> RunView:
        return fold(record, self.events(record.run), self.job_state(record), self._clock())

    def events(self, run: str) -> tuple[Event, ...]:
        """All that can be read; an entry that is none of ours is passed over."""
        events = []
        entries: Any = self._redis.xrange(contract.events_key(run))
        for _, entry in entries:
            try:
                events.append(contract.decode_event(entry[b"event"]))
            except (KeyError, contract.UnknownContract):
                continue
        return tuple(events)

    def job_state(self, record: RunRecord) -> JobState:
        try:
            job = Job.fetch(contract.job_id(record.run, record.jobs), self._redis, JSONSerializer)
        except NoSuchJobError:
            return "queued"  # recorded, not enqueued yet: the next look does it
        return STATES.get(job.get_status(), "queued")

    def has_job(self, record: RunRecord) -> bool:
        return bool(Job.exists(contract.job_id(record.run, record.jobs), self._redis))

    def waiting_for(self, target: str) -> RunRecord | None:
        """The run of this ID, or the one whose node, with this ID or beginning, waits to be accepted."""
        record = self.record(target)
        if record is not None:
            return record
        for run in self.open_runs():
            record = self.record(run)
            waiting = record and self.view(record).waiting
            if waiting and waiting.candidate and waiting.candidate.node.startswith(target):
                return record
        return None

    def open_runs(self) -> list[str]:
        return sorted(run.decode() for run in self._redis.smembers(OPEN))  # type: ignore[union-attr]

    def recent(self, number: int) -> list[RunRecord]:
        """Newest first."""
        runs = [run.decode() for run in self._redis.zrevrange(RECENT, 0, number - 1)]  # type: ignore[union-attr]
        return [record for run in runs if (record := self.record(run)) is not None]

    def hosts(self) -> tuple[str, ...]:
        """The inventory's names as the jobs' side last told them."""
        kept = self._redis.get(contract.INVENTORY)
        return tuple(json.loads(kept)) if isinstance(kept, bytes) else ()

    # --- what was posted ---

    def posted(self, run: str) -> dict[str, str]:
        """ "ts", "channel", "digest" of the run's message, and a key for each detail in its thread."""
        kept = self._redis.hgetall(f"{_key(run)}:posted")
        return {key.decode(): value.decode() for key, value in kept.items()}  # type: ignore[union-attr]

    def remember(self, run: str, **posted: str) -> None:
        mapping: Any = posted
        self._redis.hset(f"{_key(run)}:posted", mapping=mapping)
        self._redis.expire(f"{_key(run)}:posted", KEPT)

    def forget_message(self, run: str) -> None:
        self._redis.delete(f"{_key(run)}:posted")

    def answer_url(self, run: str) -> str:
        kept = self._redis.getdel(f"{_key(run)}:answer")
        return kept.decode() if isinstance(kept, bytes) else ""

    def close(self, run: str) -> None:
        self._redis.srem(OPEN, run)

    # --- ---

    def _request(self, record: RunRecord) -> Request:
        """A run's first job is what was asked; each further one follows from the decision before it."""
        if record.jobs == 1:
            return Request(record.run, 1, record.command, record.asker)
        decision = record.decisions[-1]
        waiting = self._asked(record.run, decision.job)
        approval = Approval(decision.by, waiting.fingerprint, decision.at)
        node = waiting.candidate.node if waiting.candidate else ""
        commands: dict[str, contract.Command] = {
            "accept": contract.Accept(node),
            "reject": contract.Reject(node),
            "remove": contract.Reject(node, remove=True),
        }
        command = commands.get(decision.verdict, record.command)
        return Request(record.run, record.jobs, command, record.asker, approval)

    def _asked(self, run: str, job: int) -> Waiting:
        questions = [event.body for event in self.events(run) if event.job == job and isinstance(event.body, Waiting)]
        return questions[-1]


def _key(run: str) -> str:
    return f"bot:run:{run}"


def _bytes(kept: object) -> bytes:
    assert isinstance(kept, bytes)
    return kept
