"""All that the bot keeps in Redis, and how it hands jobs to RQ. The only place of the bot that knows either.

A run's record is written once, and each decision once, under a key of its own: whatever dies in between, what was
accepted is enqueued again on the next look, under the same job ID, which RQ takes only once.
"""

import contextlib
import json
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter
from redis import Redis
from rq import Queue
from rq.exceptions import DuplicateJobError, NoSuchJobError
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer

from bot.fleet import FleetView, fleet_of
from bot.progress import RunView, fold
from bot.record import LAST, Decision, JobState, RunRecord, run_id
from jobs import contract
from jobs.contract import Approval, Event, Hold, Request, Waiting

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

    def start_leg(self, fleet: FleetView, leg: contract.Leg, now: float) -> None:
        """A host's own run, with the yes that the fleet's start was to its warnings. `now`: UNIX seconds."""
        assert fleet.start is not None
        whole = fleet.view.record
        approval = Approval(fleet.start.by, leg.warned, fleet.start.at)
        record = RunRecord(
            leg_run(whole.run, leg.host),
            contract.Migrate(leg.host, leg.role),
            f"migrate {leg.host} --{leg.role}",
            whole.asker,
            whole.channel,
            now,
            part_of=whole.run,
            approval=approval,
        )
        self.start(record)

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
        mine = uuid.uuid4().hex.encode()  # a write repeated after a lost reply finds its own value
        self._redis.set(f"bot:seen:{delivery}", mine, nx=True, ex=SEEN)
        return self._redis.get(f"bot:seen:{delivery}") == mine

    def hold(self, run: str, hold: Hold) -> None:
        """A word on a run that goes on: its jobs look between steps, its fleet before it begins the next host."""
        self._redis.set(contract.hold_key(run), contract.HOLD.dump_json(hold), ex=KEPT)
        self._redis.sadd(OPEN, run)
        self.ring(run)

    # --- looking ---

    def held(self, run: str) -> Hold | None:
        kept = self._redis.get(contract.hold_key(run))
        return contract.HOLD.validate_json(kept) if isinstance(kept, bytes) else None

    def fleet(self, view: RunView) -> FleetView | None:
        """A fleet's run with those of its hosts; None for any other run, and before there is a plan."""
        legs = view.fleet.legs if view.fleet else ()
        records = {leg.host: self.record(leg_run(view.record.run, leg.host)) for leg in legs}
        children = {host: self.view(record) for host, record in records.items() if record}
        return fleet_of(view, children, self.held(view.record.run))

    def record(self, run: str) -> RunRecord | None:
        """As it was asked, with all decisions since; a decision that leads on counts a job more."""
        kept = self._redis.get(_key(run))
        if not isinstance(kept, bytes):
            return None
        record = _RECORD.validate_json(kept)
        while (made := self._redis.get(f"{_key(run)}:decision:{record.jobs}")) is not None:
            decision = _DECISION.validate_json(_bytes(made))
            record = replace(record, decisions=(*record.decisions, decision))
            if decision.verdict in LAST:
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

    def witnessed(self) -> dict[str, str]:
        """ "day": the last one that has not ended when looked at; "tried": the last whose head was to be posted."""
        kept = self._redis.hgetall("audit:posted")
        return {key.decode(): value.decode() for key, value in kept.items()}  # type: ignore[union-attr]

    def remember_witness(self, **posted: str) -> None:
        mapping: Any = posted
        self._redis.hset("audit:posted", mapping=mapping)

    def answer_url(self, run: str) -> str:
        kept = self._redis.getdel(f"{_key(run)}:answer")
        return kept.decode() if isinstance(kept, bytes) else ""

    def close(self, run: str) -> None:
        self._redis.srem(OPEN, run)

    # --- ---

    def _request(self, record: RunRecord) -> Request:
        """A run's first job is what was asked; each further one follows from the decision before it."""
        if record.jobs == 1:
            return Request(
                record.run, 1, record.command, record.asker, record.approval, record.part_of, channel=record.channel
            )
        decision = record.decisions[-1]
        waiting = self._asked(record.run, decision.job)
        approval = Approval(decision.by, waiting.fingerprint, decision.at)
        node = waiting.candidate.node if waiting.candidate else ""
        commands: dict[str, contract.Command] = {
            "accept": contract.Accept(node),
            "reject": contract.Reject(node),
            "remove": contract.Reject(node, remove=True),
        }
        again = _again(record.command, waiting)
        command = commands.get(decision.verdict, again)
        return Request(record.run, record.jobs, command, record.asker, approval, record.part_of, channel=record.channel)

    def _asked(self, run: str, job: int) -> Waiting:
        questions = [event.body for event in self.events(run) if event.job == job and isinstance(event.body, Waiting)]
        return questions[-1]


def _again(command: contract.Command, waiting: Waiting) -> contract.Command:
    """What a Continue leads to: the same command, or what was asked about its host."""
    if waiting.question == "containers":
        return contract.StartContainers(waiting.host, waiting.names)
    return contract.RetireStore(waiting.host) if waiting.question == "store" else command


def leg_run(run: str, host: str) -> str:
    """The run of one host of a fleet: always the same, so that it begins once."""
    return run_id(f"{run}:{host}")


def _key(run: str) -> str:
    return f"bot:run:{run}"


def _bytes(kept: object) -> bytes:
    assert isinstance(kept, bytes)
    return kept
