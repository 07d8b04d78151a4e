"""Test that a run is loaded at one moment, in few round trips, whatever was decided on it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from redis import Redis
from redis.connection import AbstractConnection

from bot.records import Decision
from bot.runs.decisions import TamperedRecord
from imker.protocol import version
from imker.protocol.commands import Hold
from imker.protocol.events import DecisionRequested, JobFinished, JobStarted
from imker.protocol.values import Candidate, Quorum
from tests.support.bot_harness import IDS, NODE
from tests.unit.bot.runs.test_tampering import FILE, World

CANDIDATE = Candidate("kaditz", NODE, "198.18.0.39", "kaditz", "26.1.5")
PENDING = DecisionRequested("accept", "f00d", CANDIDATE, Quorum(2, 0, 3, 1), required_approvals=2)


@pytest.fixture
def world(redis: Redis) -> World:
    return World(redis, FILE)


@contextmanager
def counted_round_trips(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """Collect what is sent to Redis, one entry for each round trip."""
    sent: list[bytes] = []
    original = AbstractConnection.send_packed_command

    def send(self: AbstractConnection, command: Any, *more: Any, **options: Any) -> Any:
        sent.append(b"".join(command) if isinstance(command, list) else command)
        return original(self, command, *more, **options)

    with monkeypatch.context() as patch:
        patch.setattr(AbstractConnection, "send_packed_command", send)
        yield sent


@pytest.mark.parametrize(("state", "decided", "job_count", "most"), [
    ("pending", "", 1, 1),
    ("over", "", 1, 1),
    ("running", "", 1, 2),  # and RQ's status of its job
    ("pending", "accept", 2, 3),  # its decisions are read as well
])  # fmt: skip
def test_loads_a_run_in_few_round_trips(
    world: World, monkeypatch: pytest.MonkeyPatch, state: str, decided: str, job_count: int, most: int
) -> None:
    run = world.create_run(state)
    if decided:
        world.clicks("bob", f"{run}:1", decided)  # type: ignore[arg-type]
    world.runs.snapshot(run)  # loads the script that reads a job's status
    with counted_round_trips(monkeypatch) as sent:
        snapshot = world.runs.snapshot(run)
    assert snapshot
    assert snapshot.record.job_count == job_count
    assert len(sent) <= most


def test_a_pass_reads_what_was_posted_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    run = world.create_run("pending")
    world.look()
    with counted_round_trips(monkeypatch) as sent:
        world.look()
    assert sum(b"HGETALL" in text and b":posted" in text and run.encode() in text for text in sent) == 1
    assert sum(b"XRANGE" in text and version.events_key(run).encode() in text for text in sent) == 1


def test_an_unknown_run_is_none(world: World) -> None:
    assert world.runs.snapshot("evilevil") is None


def test_holds_all_of_the_run(world: World) -> None:
    run, hold = world.create_run("running"), Hold("pause", IDS["alice"], world.timestamp.unix)
    world.runs.hold(run, hold)
    snapshot = world.runs.snapshot(run)
    assert snapshot
    assert (snapshot.hold, snapshot.state.status, snapshot.has_started) == (hold, "running", True)
    assert snapshot.answered_question() is None


def test_a_decision_is_never_seen_without_its_question(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the two reads of a run its next job asks for two approvals and gets one, which is not enough."""
    run = world.create_run("warned")
    world.clicks("alice", f"{run}:1", "continue")
    record, original = world.runs.record(run), world.runs._read
    assert record

    def read_then_decide(*about: Any) -> Any:
        monkeypatch.undo()
        stored = original(*about)
        world.emit(run, JobStarted("kaditz"), PENDING, job=2)
        world.runs.decide(record, Decision(2, "accept", IDS["bob"], 1.0, "f00d"), needed=2)
        return stored

    monkeypatch.setattr(world.runs, "_read", read_then_decide)
    snapshot = world.runs.snapshot(run)
    assert snapshot
    assert (snapshot.record.job_count, len(snapshot.record.partial_approvals)) == (2, 1)
    assert snapshot.state.status == "waiting"


def test_refuses_an_answer_to_a_question_that_is_gone(world: World) -> None:
    run = world.create_run("warned")
    world.clicks("alice", f"{run}:1", "continue")
    world.redis.delete(version.events_key(run))
    snapshot = world.runs.snapshot(run)
    assert snapshot
    with pytest.raises(TamperedRecord, match="answers a different question"):
        snapshot.answered_question()


def test_skips_runs_that_cannot_be_read(world: World) -> None:
    first, broken = world.create_run("running"), world.create_run("warned")
    world.redis.set(f"bot:run:{broken}:decision:1", "x")
    world.emit(first, JobFinished("done", "x"))
    assert [each.record.run for each in world.runs.snapshots((broken, "evilevil", first))] == [first]
