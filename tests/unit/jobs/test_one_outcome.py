"""A job's outcome is written once, and is its last event, whatever fails after it."""

from collections.abc import Callable

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import RedisError

from bot.records import RunRecord
from bot.state.run_state import fold
from imker.audit_log import AuditLogBroken
from imker.protocol.commands import Migrate, Request
from imker.protocol.event_log import EventLog
from imker.protocol.events import DecisionRequested, Event, EventBody, JobFinished, JobStarted, ThreadDetail
from jobs import run
from jobs.errors import BrokenFencingToken
from jobs.events.writer import EventWriter
from jobs.locking.lease import LockHolder, acquire_lock
from tests.support import streams

RUN, NOW = "k3fm9x2q", 1_795_440_000.0
ASKED = Request(RUN, 1, Migrate("kaditz"), "U01ALICE")
RECORD = RunRecord(RUN, Migrate("kaditz"), "migrate kaditz", "U01ALICE", "C01OPS", NOW)
HOLDER = LockHolder(RUN, "U01ALICE", "migrate kaditz", NOW)
DONE, ASKS, BROKE = (
    JobFinished("done", "kaditz is in"),
    DecisionRequested("accept", "f00d"),
    JobFinished("failed", "Redis is not responding"),
)
OUTCOMES = pytest.mark.parametrize("outcome", [DONE, ASKS], ids=["done", "a question"])


class Failing(Redis):
    """As Redis that goes away: `after` whether it still does what it was asked, and only the answer is lost."""

    word, after = "", True

    def execute_command(self, *args: object, **options: object) -> object:
        if not (self.word and self.word in str(args)):
            return super().execute_command(*args, **options)
        if self.after:
            super().execute_command(*args, **options)
        raise NoConnection("no answer")


@pytest.fixture
def failing(redis: Redis) -> Failing:
    return Failing(unix_socket_path=redis.connection_pool.connection_kwargs["path"])


def journal(redis: Redis, also: Callable[[Event], None] = lambda _: None) -> EventWriter:
    return EventWriter(redis, streams.KEY, RUN, 1, lambda: NOW, also)


def ends(redis: Redis) -> list[EventBody]:
    """What people see of the run's events, and that no two differ."""
    told = {event.number: event.body for event in streams.read_events(redis, RUN)}
    return [body for body in told.values() if isinstance(body, JobFinished | DecisionRequested)]


@OUTCOMES
def test_an_outcome_is_not_overwritten_when_the_locks_release_fails(
    redis: Redis, failing: Failing, monkeypatch: pytest.MonkeyPatch, outcome: JobFinished | DecisionRequested
) -> None:
    """It became "failed: Redis is not responding", and the question that people should answer was gone."""
    writer = journal(redis)

    def handle(*_: object) -> None:
        with acquire_lock(failing, "host:kaditz", HOLDER):
            writer.emit(outcome)
            failing.word, failing.after = "call('del'", False

    monkeypatch.setattr(run, "dispatch", handle)
    run.run_handler(ASKED, writer, lambda: None)  # type: ignore[arg-type,return-value]
    assert ends(redis) == [outcome]


@OUTCOMES
@pytest.mark.parametrize(
    "later", [BROKE, JobStarted("kaditz"), ThreadDetail("apt", "x")], ids=["an end", "a begin", "a detail"]
)
def test_nothing_is_told_after_it(redis: Redis, outcome: JobFinished | DecisionRequested, later: EventBody) -> None:
    writer = journal(redis)
    for body in (JobStarted("kaditz"), outcome, later):
        writer.emit(body)
    assert streams.event_bodies(redis, RUN) == [JobStarted("kaditz"), outcome]


@OUTCOMES
@pytest.mark.parametrize("after", [True, False], ids=["written", "not written"])
def test_one_whose_write_failed_is_written_again_instead_of_another(
    redis: Redis, failing: Failing, outcome: JobFinished | DecisionRequested, after: bool
) -> None:
    writer = journal(failing)
    failing.word, failing.after = "XADD", after
    with pytest.raises(RedisError):
        writer.emit(outcome)
    failing.word = ""
    writer.emit(BROKE)
    assert ends(redis) == [outcome]


def test_one_that_the_record_did_not_take_stays_and_is_recorded_when_it_can_be(redis: Redis) -> None:
    broken, recorded = [True], []

    def also(event: Event) -> None:
        if broken:
            raise AuditLogBroken("no")
        recorded.append(event.body)

    writer = journal(redis, also)
    with pytest.raises(AuditLogBroken):
        writer.emit(DONE)
    broken.clear()
    writer.emit(BROKE)
    writer.emit(BROKE)
    assert (ends(redis), recorded) == ([DONE], [DONE])


@OUTCOMES
def test_of_two_that_stand_in_redis_all_the_same_the_first_counts(
    redis: Redis, outcome: JobFinished | DecisionRequested
) -> None:
    events = [Event(RUN, 1, number, NOW, body) for number, body in enumerate((JobStarted(), outcome, BROKE), 1)]
    view = fold(RECORD, EventLog(tuple(events)), "finished", NOW)
    assert (view.outcome or view.question, EventLog(tuple(events)).outcome_of(1)) == (outcome, outcome)


def test_a_lock_whose_holders_cannot_be_counted_is_given_back_at_once(redis: Redis) -> None:
    redis.set("fence:swarm", "x")
    with pytest.raises(BrokenFencingToken), acquire_lock(redis, "swarm", HOLDER):
        raise AssertionError("held")
    assert not redis.exists("lock:swarm"), "it was left for half a minute"


def test_what_fails_under_a_lock_is_raised_and_not_what_its_release_fails_with(redis: Redis, failing: Failing) -> None:
    failing.word = "call('del'"
    with pytest.raises(ZeroDivisionError), acquire_lock(failing, "swarm", HOLDER):
        raise ZeroDivisionError
