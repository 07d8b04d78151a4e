"""A job's outcome is written once, and is its last event, whatever fails after it."""

from collections.abc import Callable

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import RedisError

from bot.progress import fold
from bot.record import RunRecord
from imker.audit import RecordBroken
from jobs import contract, run
from jobs.contract import Began, Body, Detail, Ended, Event, Migrate, Request, Waiting
from jobs.errors import BrokenFence
from jobs.journal import Journal
from jobs.lock import Holder, held
from tests import streams

RUN, NOW = "k3fm9x2q", 1_795_440_000.0
ASKED = Request(RUN, 1, Migrate("kaditz"), "U01ALICE")
RECORD = RunRecord(RUN, Migrate("kaditz"), "migrate kaditz", "U01ALICE", "C01OPS", NOW)
HOLDER = Holder(RUN, "U01ALICE", "migrate kaditz", NOW)
DONE, ASKS, BROKE = Ended("done", "kaditz is in"), Waiting("accept", "f00d"), Ended("failed", "Redis does not answer")
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


def journal(redis: Redis, also: Callable[[Event], None] = lambda _: None) -> Journal:
    return Journal(redis, streams.KEY, RUN, 1, lambda: NOW, also)


def ends(redis: Redis) -> list[Body]:
    """What people see of the run's events, and that no two differ."""
    told = {event.number: event.body for event in streams.events(redis, RUN)}
    return [body for body in told.values() if isinstance(body, Ended | Waiting)]


@OUTCOMES
def test_an_outcome_is_not_overwritten_when_the_locks_release_fails(
    redis: Redis, failing: Failing, monkeypatch: pytest.MonkeyPatch, outcome: Ended | Waiting
) -> None:
    """It became "failed: Redis does not answer", and the question that people should answer was gone."""
    writer = journal(redis)

    def handle(*_: object) -> None:
        with held(failing, "host:kaditz", HOLDER):
            writer.tell(outcome)
            failing.word, failing.after = "call('del'", False

    monkeypatch.setattr(run, "handle", handle)
    run.tell_all(ASKED, writer, lambda: None)  # type: ignore[arg-type,return-value]
    assert ends(redis) == [outcome]


@OUTCOMES
@pytest.mark.parametrize("later", [BROKE, Began("kaditz"), Detail("apt", "x")], ids=["an end", "a begin", "a detail"])
def test_nothing_is_told_after_it(redis: Redis, outcome: Ended | Waiting, later: Body) -> None:
    writer = journal(redis)
    for body in (Began("kaditz"), outcome, later):
        writer.tell(body)
    assert streams.told(redis, RUN) == [Began("kaditz"), outcome]


@OUTCOMES
@pytest.mark.parametrize("after", [True, False], ids=["written", "not written"])
def test_one_whose_write_failed_is_written_again_instead_of_another(
    redis: Redis, failing: Failing, outcome: Ended | Waiting, after: bool
) -> None:
    writer = journal(failing)
    failing.word, failing.after = "XADD", after
    with pytest.raises(RedisError):
        writer.tell(outcome)
    failing.word = ""
    writer.tell(BROKE)
    assert ends(redis) == [outcome]


def test_one_that_the_record_did_not_take_stays_and_is_recorded_when_it_can_be(redis: Redis) -> None:
    broken, recorded = [True], []

    def also(event: Event) -> None:
        if broken:
            raise RecordBroken("no")
        recorded.append(event.body)

    writer = journal(redis, also)
    with pytest.raises(RecordBroken):
        writer.tell(DONE)
    broken.clear()
    writer.tell(BROKE)
    writer.tell(BROKE)
    assert (ends(redis), recorded) == ([DONE], [DONE])


@OUTCOMES
def test_of_two_that_stand_in_redis_all_the_same_the_first_counts(redis: Redis, outcome: Ended | Waiting) -> None:
    events = [Event(RUN, 1, number, NOW, body) for number, body in enumerate((Began(), outcome, BROKE), 1)]
    view = fold(RECORD, events, "over", NOW)
    assert (view.ended or view.waiting, contract.outcome_of(events, 1)) == (outcome, outcome)


def test_a_lock_whose_holders_cannot_be_counted_is_given_back_at_once(redis: Redis) -> None:
    redis.set("fence:swarm", "x")
    with pytest.raises(BrokenFence), held(redis, "swarm", HOLDER):
        raise AssertionError("held")
    assert not redis.exists("lock:swarm"), "it was left for half a minute"


def test_what_fails_under_a_lock_is_raised_and_not_what_its_release_fails_with(redis: Redis, failing: Failing) -> None:
    failing.word = "call('del'"
    with pytest.raises(ZeroDivisionError), held(failing, "swarm", HOLDER):
        raise ZeroDivisionError
