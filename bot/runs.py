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

from bot import holds, queue
from bot.decisions import Decisions, Forged, understood
from bot.fleet import FleetView, fleet_of, leg_run
from bot.lost import Lost
from bot.posted import Posted
from bot.progress import RunView, fold, nodes_told, pending
from bot.record import DAY, KEPT, LAST, Decision, JobState, RunRecord
from bot.request import request_of
from imker import moment, signing
from imker.fault import fault
from imker.forgery import passed_over
from imker.moment import Moment
from imker.signing import Key
from jobs import contract
from jobs.contract import Event, Hold, Waiting

SEEN, ANSWERABLE = DAY, 30 * 60  # seconds a repeat is known; seconds a response_url works
OPEN, RECENT = "bot:open", "bot:recent"
_RECORD: TypeAdapter[RunRecord] = TypeAdapter(RunRecord)
_HOSTS: TypeAdapter[tuple[str, ...]] = TypeAdapter(tuple[str, ...])


class Runs:
    """`clock`: UNIX seconds; `key`: what requests are signed with; `now`: as `clock`, but not to be set."""

    def __init__(
        self, redis: "Redis", clock: Callable[[], float], key: Key, now: Callable[[], Moment] = moment.now
    ) -> None:
        self._redis = redis
        self._clock = clock
        self._key = key
        self._now = now
        self._decisions = Decisions(redis, key)
        self.posted = Posted(redis, key)
        self.lost = Lost(redis)

    # --- starting and deciding ---

    def start(self, record: RunRecord, response_url: str = "") -> bool:
        """Records and enqueues; False when this run was accepted before."""
        fresh = self._keep(_key(record.run), _RECORD.dump_json(record))
        fault("run.kept")
        if response_url:
            place = _answer_key(record.run)
            self._redis.set(place, signing.seal(self._key, place, response_url), ex=ANSWERABLE)
        self._redis.zadd(RECENT, {record.run: record.asked_at})
        self._redis.zremrangebyscore(RECENT, "-inf", self._clock() - KEPT)
        self._redis.sadd(OPEN, record.run)
        fault("run.opened")
        self.enqueue(record)
        return bool(fresh)

    def decide(self, record: RunRecord, decision: Decision, needed: int = 1) -> Decision:
        """What holds of that job's question: this decision, or whichever stands against it.

        Each yes takes a place, `needed` of them, in order and for good, and no person takes two; a no takes the next
        one and is the last. So of any number at once exactly one takes each.
        """
        holds = decision
        for place in range(1, needed + 1):
            holds = self._decisions.keep(record.run, decision, place)
            if holds == decision or holds.verdict != "accept":
                break
            if decision.verdict == "accept" and decision.by == holds.by:
                break
        if holds == decision:
            fault("decision.kept")
            self.follow(record.run, decision.job)
        return holds

    def follow(self, run: str, job: int) -> None:
        """What comes of the decision on that job's question; it may have been done by a bot that died."""
        self._redis.sadd(OPEN, run)
        after = self.record(run)
        if after is not None and after.jobs > job:
            self.enqueue(after)
        self.ring(run)

    def enqueue(self, record: RunRecord) -> None:
        """The run's last job; that RQ has it already is as good. A pause that it comes after holds no more."""
        answered = self.answered(record)
        if answered and answered.question == "resume":
            last = record.decisions[-1]
            holds.keep(self._redis, self._key, record.run, Hold("resume", last.by, last.at))
        request = replace(request_of(record, answered), expires=record.expires)
        queue.enqueue(self._redis, request, self._key)
        fault("run.enqueued")
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
        holds.keep(self._redis, self._key, run, hold)
        fault("hold.kept")
        self._redis.sadd(OPEN, run)
        self.ring(run)

    def answer_url(self, run: str) -> str:
        """Where its asker can be answered in private, once: "" when that is not known, or was used."""
        place = _answer_key(run)
        kept = self._redis.get(place)
        url = signing.opened(self._key, place, kept)
        if url is None and kept is not None:
            passed_over(place, "a response_url")
        return url or ""

    def close(self, run: str) -> None:
        self._redis.srem(OPEN, run)

    def reopen(self, run: str) -> None:
        self._redis.sadd(OPEN, run)

    # --- looking ---

    def held(self, run: str) -> Hold | None:
        return holds.newest(self._redis, self._key, run)

    def fleet(self, view: RunView) -> FleetView | None:
        """A fleet's run with those of its hosts; None for any other run, and before there is a plan."""
        legs = view.fleet.legs if view.fleet else ()
        records = {leg.host: self.record(leg_run(view.record.run, leg.host)) for leg in legs}
        children = {host: self.view(record) for host, record in records.items() if record}
        return fleet_of(view, children, self.held(view.record.run))

    def record(self, run: str) -> RunRecord | None:
        """As it was asked, with all decisions since; a decision that leads on counts a job more."""
        kept = signing.opened(self._key, _key(run), self._redis.get(_key(run)))
        if kept is None:
            return None
        record = understood(_RECORD, _key(run), kept)
        while made := self._decisions.made(run, record.jobs):
            if made[-1].verdict == "accept" and len(made) < self._needed(run, record.jobs):
                return replace(record, votes=made)
            record = replace(record, decisions=(*record.decisions, *made))
            if made[-1].verdict in LAST:
                break
            record = replace(record, jobs=record.jobs + 1)
        return record

    def _needed(self, run: str, job: int) -> int:
        """How many a yes to that question takes, as the job said."""
        asked = self._asked(run, job)
        return asked.needed if asked else 1

    def view(self, record: RunRecord) -> RunView:
        # What is recorded and not enqueued yet, the next look enqueues, unless it is too late.
        unknown: JobState = "queued" if self._clock() < record.expires else "lost"
        state = queue.state(self._redis, contract.job_id(record.run, record.jobs), unknown)
        return fold(record, self.events(record.run), state, self._clock(), self._now())

    def events(self, run: str) -> tuple[Event, ...]:
        """All that can be read; an entry that is none of ours is passed over."""
        entries: Any = self._redis.xrange(contract.events_key(run))
        return contract.events_of(run, entries, self._key)

    def has_job(self, record: RunRecord) -> bool:
        return queue.has(self._redis, contract.job_id(record.run, record.jobs))

    def waiting_for(self, target: str, channel: str) -> tuple[RunRecord, ...]:
        """This channel's run of that ID; or for each node with this ID or beginning the last that asks to accept it.

        While none asks, those that asked and were answered.
        """
        named = self.record(target)
        if named is not None and named.channel == channel:
            return (named,)
        views = [self.view(record) for record in self.open_records() if record.channel == channel]
        about = [view for view in views if pending(view).startswith(target)]
        asking = [view for view in about if view.state == "waiting"] or about
        last = {pending(view): view.record for view in sorted(asking, key=lambda view: view.record.asked_at)}
        return tuple(last.values())

    def has_told_of(self, node: str, last: int) -> bool:
        """Whether an open run, or one of the `last`, showed a node with this ID or beginning, in any channel."""
        records = (*self.open_records(), *self.recent(last))
        return any(id.startswith(node) for record in records for id in nodes_told(self.events(record.run)))

    def open_runs(self) -> list[str]:
        return sorted(run.decode(errors="replace") for run in self._redis.smembers(OPEN))  # type: ignore[union-attr]

    def open_records(self) -> list[RunRecord]:
        return self._readable(self.open_runs())

    def recent(self, number: int) -> list[RunRecord]:
        """Newest first."""
        runs: Any = self._redis.zrevrange(RECENT, 0, number - 1)
        return self._readable(run.decode(errors="replace") for run in runs)

    def _readable(self, runs: Iterable[str]) -> list[RunRecord]:
        """One that somebody forged a decision of, or another version wrote, keeps no other from being found."""
        found = []
        for run in runs:
            with suppress(Forged):
                found.append(self.record(run))
        return [record for record in found if record is not None]

    def hosts(self) -> tuple[str, ...]:
        """The inventory's names as the jobs' side last told them; none, if what stands there is none of its."""
        kept = signing.opened(self._key, contract.INVENTORY, self._redis.get(contract.INVENTORY))
        try:
            return _HOSTS.validate_json(kept) if kept is not None else ()
        except ValidationError:
            return ()

    # --- what is kept, sealed ---

    def _keep(self, key: str, text: bytes) -> bool:
        """For good, and sealed: what others write there, however well they know how, is nobody's command."""
        return bool(self._redis.set(key, signing.seal(self._key, key, text.decode()), nx=True, ex=KEPT))

    def answered(self, record: RunRecord) -> Waiting | None:
        """The question that the run's last job follows from; None for its first. Raises Forged."""
        if record.jobs == 1:
            return None
        last = record.decisions[-1]
        asked = self._asked(record.run, last.job)
        if asked is None or asked.fingerprint != last.shown:
            raise Forged(f"what job {last.job} of run {record.run} asked is not what was answered")
        return asked

    def _asked(self, run: str, job: int) -> Waiting | None:
        """The question that this job of the run ended with."""
        outcome = contract.outcome_of(self.events(run), job)
        return outcome if isinstance(outcome, Waiting) else None


def _key(run: str) -> str:
    return f"bot:run:{run}"


def _answer_key(run: str) -> str:
    return f"{_key(run)}:answer"
