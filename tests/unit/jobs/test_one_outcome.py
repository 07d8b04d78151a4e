"""Check that a job's outcome is written once and is its last event, whatever fails afterwards."""

from collections.abc import Callable
from typing import NoReturn

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
from jobs.context import JobContext
from jobs.errors import BrokenFencingToken
from jobs.events.writer import EventWriter
from jobs.inventory.model import Host
from jobs.locking.lease import LockHolder, acquire_lock
from jobs.settings import Settings
from tests.support import streams

RUN, NOW = "k3fm9x2q", 1_795_440_000.0
REQUEST = Request(RUN, 1, Migrate("kaditz"), "U01ALICE")
RECORD = RunRecord(RUN, Migrate("kaditz"), "migrate kaditz", "U01ALICE", "C01OPS", NOW)
HOLDER = LockHolder(RUN, "U01ALICE", "migrate kaditz", NOW)
DONE, ASKS, BROKE = (
    JobFinished("done", "kaditz is in"),
    DecisionRequested("accept", "f00d"),
    JobFinished("failed", "Redis is not responding"),
)
OUTCOMES = pytest.mark.parametrize("outcome", [DONE, ASKS], ids=["done", "a question"])


class Failing(Redis):
    """Redis that becomes unavailable. `after`: the command is still applied, and only the reply is lost."""

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
    """Return the outcomes that people see."""
    bodies = {event.number: event.body for event in streams.read_events(redis, RUN)}
    return [body for body in bodies.values() if isinstance(body, JobFinished | DecisionRequested)]


def no_connection(host: Host, timeout: float = 10) -> NoReturn:
    raise AssertionError(f"{host.name} is not asked")


@OUTCOMES
def test_keeps_the_outcome_if_releasing_the_lock_fails(
    redis: Redis, failing: Failing, monkeypatch: pytest.MonkeyPatch, outcome: JobFinished | DecisionRequested
) -> None:
    """It was once replaced by "failed: Redis is not responding", so the question could not be answered."""
    writer = journal(redis)

    def handle(*_: object) -> None:
        with acquire_lock(failing, "host:kaditz", HOLDER):
            writer.emit(outcome)
            failing.word, failing.after = "call('del'", False

    monkeypatch.setattr(run, "dispatch", handle)
    context = JobContext(REQUEST, Settings(), {}, writer, redis, no_connection, no_connection)
    run.run_handler(REQUEST, writer, lambda: context)
    assert ends(redis) == [outcome]


@OUTCOMES
@pytest.mark.parametrize(
    "later", [BROKE, JobStarted("kaditz"), ThreadDetail("apt", "x")], ids=["an end", "a begin", "a detail"]
)
def test_emits_nothing_after_the_outcome(
    redis: Redis, outcome: JobFinished | DecisionRequested, later: EventBody
) -> None:
    writer = journal(redis)
    for body in (JobStarted("kaditz"), outcome, later):
        writer.emit(body)
    assert streams.event_bodies(redis, RUN) == [JobStarted("kaditz"), outcome]


@OUTCOMES
@pytest.mark.parametrize("after", [True, False], ids=["written", "not written"])
def test_writes_the_first_outcome_again_if_its_write_failed(
    redis: Redis, failing: Failing, outcome: JobFinished | DecisionRequested, after: bool
) -> None:
    writer = journal(failing)
    failing.word, failing.after = "XADD", after
    with pytest.raises(RedisError):
        writer.emit(outcome)
    failing.word = ""
    writer.emit(BROKE)
    assert ends(redis) == [outcome]


def test_records_the_outcome_when_the_audit_log_works_again(redis: Redis) -> None:
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
def test_the_first_of_two_outcomes_in_redis_counts(redis: Redis, outcome: JobFinished | DecisionRequested) -> None:
    events = [Event(RUN, 1, number, NOW, body) for number, body in enumerate((JobStarted(), outcome, BROKE), 1)]
    view = fold(RECORD, EventLog(tuple(events)), "finished", NOW)
    assert (view.outcome or view.question, EventLog(tuple(events)).outcome_of(1)) == (outcome, outcome)


def test_releases_the_lock_at_once_if_the_fencing_number_is_invalid(redis: Redis) -> None:
    redis.set("fence:swarm", "x")
    with pytest.raises(BrokenFencingToken), acquire_lock(redis, "swarm", HOLDER):
        raise AssertionError("held")
    assert not redis.exists("lock:swarm"), "it used to stay locked for 30 seconds"


def test_raises_the_original_error_if_releasing_the_lock_fails(redis: Redis, failing: Failing) -> None:
    failing.word = "call('del'"
    with pytest.raises(ZeroDivisionError), acquire_lock(failing, "swarm", HOLDER):
        raise ZeroDivisionError
