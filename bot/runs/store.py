"""All that the bot keeps of its runs in Redis: what was asked, what was decided, what goes on.

A run's record is written once, and each decision once, under a key of its own: whatever dies in between, what was
accepted is enqueued again on the next look, under the same job ID, which RQ takes only once.
"""

import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter, ValidationError
from redis import Redis

from bot.records import DAY, FINAL_CHOICES, RETENTION, Decision, QueueStatus, RunRecord
from bot.runs import holds, queue
from bot.runs.decisions import DecisionStore, TamperedRecord, parse_stored
from bot.runs.lost_runs import LostRuns
from bot.runs.posted_messages import PostedMessages
from bot.state.fleet_state import FleetState, fold_fleet, host_run_id
from bot.state.next_request import next_request
from bot.state.run_state import RunState, fold, pending_node, reported_nodes
from imker import clock, signing
from imker.clock import Timestamp
from imker.failpoints import failpoint
from imker.ignored_values import log_ignored
from imker.protocol import events, signed, version
from imker.protocol.commands import Hold
from imker.protocol.events import DecisionRequested, Event
from imker.signing import SigningKey

DELIVERY_TTL, RESPONSE_URL_TTL = DAY, 30 * 60  # seconds a repeat is known; seconds a response_url works
OPEN_RUNS_KEY, RECENT_RUNS_KEY = "bot:open", "bot:recent"
_RECORD: TypeAdapter[RunRecord] = TypeAdapter(RunRecord)
_HOSTS: TypeAdapter[tuple[str, ...]] = TypeAdapter(tuple[str, ...])


class RunStore:
    """`clock`: UNIX seconds; `key`: what requests are signed with; `now`: as `clock`, but not to be set."""

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

    # --- starting and deciding ---

    def start(self, record: RunRecord, response_url: str = "") -> bool:
        """Records and enqueues; False when this run was accepted before."""
        is_new = self._write_once(_key(record.run), _RECORD.dump_json(record))
        failpoint("run.saved")
        if response_url:
            place = _answer_key(record.run)
            self._redis.set(place, signing.sign_for(self._key, place, response_url), ex=RESPONSE_URL_TTL)
        self._redis.zadd(RECENT_RUNS_KEY, {record.run: record.requested_at})
        self._redis.zremrangebyscore(RECENT_RUNS_KEY, "-inf", self._clock() - RETENTION)
        self._redis.sadd(OPEN_RUNS_KEY, record.run)
        failpoint("run.opened")
        self.enqueue(record)
        return bool(is_new)

    def decide(self, record: RunRecord, decision: Decision, needed: int = 1) -> Decision:
        """What holds of that job's question: this decision, or whichever stands against it.

        Each yes takes a place, `needed` of them, in order and for good, and no person takes two; a no takes the next
        one and is the last. So of any number at once exactly one takes each.
        """
        holds = decision
        for place in range(1, needed + 1):
            holds = self._decisions.write_once(record.run, decision, place)
            if holds == decision or holds.choice != "accept":
                break
            if decision.choice == "accept" and decision.user == holds.user:
                break
        if holds == decision:
            failpoint("decision.saved")
            self.advance(record.run, decision.job)
        return holds

    def advance(self, run: str, job: int) -> None:
        """What comes of the decision on that job's question; it may have been done by a bot that died."""
        self._redis.sadd(OPEN_RUNS_KEY, run)
        after = self.record(run)
        if after is not None and after.job_count > job:
            self.enqueue(after)
        self.notify(run)

    def enqueue(self, record: RunRecord) -> None:
        """The run's last job; that RQ has it already is as good. A pause that it comes after holds no more."""
        question = self.answered_question(record)
        if question and question.question == "resume":
            last = record.decisions[-1]
            holds.add(self._redis, self._key, record.run, Hold("resume", last.user, last.decided_at))
        request = replace(next_request(record, question), expires_at=record.expires)
        queue.enqueue(self._redis, request, self._key)
        failpoint("run.enqueued")
        self.notify(record.run)

    def notify(self, run: str) -> None:
        self._redis.publish(version.WAKE_CHANNEL, run)

    def claim_delivery(self, delivery: str) -> bool:
        """Whether this delivery of Slack's is the first of its kind."""
        claim = uuid.uuid4().hex.encode()  # a write repeated after a lost reply finds its own value
        self._redis.set(f"bot:seen:{delivery}", claim, nx=True, ex=DELIVERY_TTL)
        return self._redis.get(f"bot:seen:{delivery}") == claim

    def hold(self, run: str, hold: Hold) -> None:
        """A word on a run that goes on: its jobs look between steps, its fleet before it begins the next host."""
        holds.add(self._redis, self._key, run, hold)
        failpoint("hold.saved")
        self._redis.sadd(OPEN_RUNS_KEY, run)
        self.notify(run)

    def response_url(self, run: str) -> str:
        """Where its asker can be answered in private, once: "" when that is not known, or was used."""
        place = _answer_key(run)
        stored = self._redis.get(place)
        url = signing.open_signed(self._key, place, stored)
        if url is None and stored is not None:
            log_ignored(place, "a response_url")
        return url or ""

    def close(self, run: str) -> None:
        self._redis.srem(OPEN_RUNS_KEY, run)

    def reopen(self, run: str) -> None:
        self._redis.sadd(OPEN_RUNS_KEY, run)

    # --- looking ---

    def current_hold(self, run: str) -> Hold | None:
        return holds.current(self._redis, self._key, run)

    def fleet_state(self, view: RunState) -> FleetState | None:
        """A fleet's run with those of its hosts; None for any other run, and before there is a plan."""
        legs = view.fleet.host_plans if view.fleet else ()
        records = {leg.host: self.record(host_run_id(view.record.run, leg.host)) for leg in legs}
        children = {host: self.run_state(record) for host, record in records.items() if record}
        return fold_fleet(view, children, self.current_hold(view.record.run))

    def record(self, run: str) -> RunRecord | None:
        """As it was asked, with all decisions since; a decision that leads on counts a job more."""
        verified = signing.open_signed(self._key, _key(run), self._redis.get(_key(run)))
        if verified is None:
            return None
        record = parse_stored(_RECORD, _key(run), verified)
        while decisions_of_job := self._decisions.of_job(run, record.job_count):
            if decisions_of_job[-1].choice == "accept" and len(decisions_of_job) < self._needed(run, record.job_count):
                return replace(record, partial_approvals=decisions_of_job)
            record = replace(record, decisions=(*record.decisions, *decisions_of_job))
            if decisions_of_job[-1].choice in FINAL_CHOICES:
                break
            record = replace(record, job_count=record.job_count + 1)
        return record

    def _needed(self, run: str, job: int) -> int:
        """How many a yes to that question takes, as the job said."""
        question = self._question_of(run, job)
        return question.required_approvals if question else 1

    def run_state(self, record: RunRecord) -> RunState:
        # What is recorded and not enqueued yet, the next look enqueues, unless it is too late.
        unknown: QueueStatus = "queued" if self._clock() < record.expires else "lost"
        state = queue.job_status(self._redis, version.job_id(record.run, record.job_count), unknown)
        return fold(record, self.events(record.run), state, self._clock(), self._now())

    def events(self, run: str) -> tuple[Event, ...]:
        """All that can be read; an entry that is none of ours is passed over."""
        entries: Any = self._redis.xrange(version.events_key(run))
        return signed.decode_signed_events(run, entries, self._key)

    def has_job(self, record: RunRecord) -> bool:
        return queue.job_exists(self._redis, version.job_id(record.run, record.job_count))

    def find_waiting(self, target: str, channel: str) -> tuple[RunRecord, ...]:
        """This channel's run of that ID; or for each node with this ID or beginning the last that asks to accept it.

        While none asks, those that asked and were answered.
        """
        record_by_id = self.record(target)
        if record_by_id is not None and record_by_id.channel == channel:
            return (record_by_id,)
        views = [self.run_state(record) for record in self.open_records() if record.channel == channel]
        about = [view for view in views if pending_node(view).startswith(target)]
        asking = [view for view in about if view.status == "waiting"] or about
        last = {pending_node(view): view.record for view in sorted(asking, key=lambda view: view.record.requested_at)}
        return tuple(last.values())

    def has_reported_node(self, node: str, last: int) -> bool:
        """Whether an open run, or one of the `last`, showed a node with this ID or beginning, in any channel."""
        records = (*self.open_records(), *self.recent(last))
        return any(id.startswith(node) for record in records for id in reported_nodes(self.events(record.run)))

    def open_runs(self) -> list[str]:
        return sorted(run.decode(errors="replace") for run in self._redis.smembers(OPEN_RUNS_KEY))  # type: ignore[union-attr]

    def open_records(self) -> list[RunRecord]:
        return self._readable(self.open_runs())

    def recent(self, number: int) -> list[RunRecord]:
        """Newest first."""
        runs: Any = self._redis.zrevrange(RECENT_RUNS_KEY, 0, number - 1)
        return self._readable(run.decode(errors="replace") for run in runs)

    def _readable(self, runs: Iterable[str]) -> list[RunRecord]:
        """One that somebody forged a decision of, or another version wrote, keeps no other from being found."""
        records = []
        for run in runs:
            with suppress(TamperedRecord):
                records.append(self.record(run))
        return [record for record in records if record is not None]

    def hosts(self) -> tuple[str, ...]:
        """The inventory's names as the jobs' side last told them; none, if what stands there is none of its."""
        stored = signing.open_signed(self._key, version.INVENTORY_KEY, self._redis.get(version.INVENTORY_KEY))
        try:
            return _HOSTS.validate_json(stored) if stored is not None else ()
        except ValidationError:
            return ()

    # --- what is kept, sealed ---

    def _write_once(self, key: str, text: bytes) -> bool:
        """For good, and sealed: what others write there, however well they know how, is nobody's command."""
        return bool(self._redis.set(key, signing.sign_for(self._key, key, text.decode()), nx=True, ex=RETENTION))

    def answered_question(self, record: RunRecord) -> DecisionRequested | None:
        """The question that the run's last job follows from; None for its first. Raises Forged."""
        if record.job_count == 1:
            return None
        last = record.decisions[-1]
        asked = self._question_of(record.run, last.job)
        if asked is None or asked.fingerprint != last.fingerprint:
            raise TamperedRecord(f"what job {last.job} of run {record.run} asked is not what was answered")
        return asked

    def _question_of(self, run: str, job: int) -> DecisionRequested | None:
        """The question that this job of the run ended with."""
        outcome = events.find_outcome(self.events(run), job)
        return outcome if isinstance(outcome, DecisionRequested) else None


def _key(run: str) -> str:
    return f"bot:run:{run}"


def _answer_key(run: str) -> str:
    return f"{_key(run)}:answer"
