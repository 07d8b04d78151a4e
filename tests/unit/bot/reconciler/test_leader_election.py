"""One reconciler leads at a time, also when the lease passes to another between two of its holder's commands."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from redis import Redis

from bot.reconciler.leader_election import LeaderElection
from imker.protocol.version import RECONCILER_KEY

OTHER = b"another reconciler"
WRITES = ("DEL", "EXPIRE", "PEXPIRE", "EVAL")


class Overtaken(Redis):
    """A client whose next write arrives after its lease has expired and another reconciler has taken it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.overtake: Callable[[], object] | None = None

    def execute_command(self, *args: Any, **options: Any) -> Any:
        if self.overtake and args[0] in WRITES:
            overtake, self.overtake = self.overtake, None
            overtake()
        return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]


@pytest.fixture
def client(redis: Redis) -> Iterator[Overtaken]:
    connection = Overtaken(unix_socket_path=redis.connection_pool.connection_kwargs["path"])
    yield connection
    connection.close()


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def take_over(redis: Redis, milliseconds: int) -> None:
    redis.set(RECONCILER_KEY, OTHER, px=milliseconds)


@contextmanager
def leader(client: Redis, **timing: float) -> Iterator[tuple[LeaderElection, threading.Event]]:
    stopping = threading.Event()
    election = LeaderElection(client, stopping, **timing)
    wait_until(election.is_leader)
    yield election, stopping
    stopping.set()
    election.resign()


def test_a_leader_that_was_overtaken_does_not_extend_the_new_lease(redis: Redis, client: Overtaken) -> None:
    with leader(client) as (election, _):
        client.overtake = lambda: take_over(redis, 60_000)
        wait_until(lambda: client.overtake is None)
        wait_until(lambda: not election.is_leader())
        assert redis.get(RECONCILER_KEY) == OTHER
        assert redis.pttl(RECONCILER_KEY) > 30_000, "the other's lease keeps its own time"


def test_a_leader_that_was_overtaken_does_not_release_the_new_lease(redis: Redis, client: Overtaken) -> None:
    with leader(client) as (_, stopping):
        stopping.set()
        wait_until(lambda: not any(thread.name == "lease" for thread in threading.enumerate()))
        client.overtake = lambda: take_over(redis, 60_000)
    assert redis.get(RECONCILER_KEY) == OTHER


def test_a_leader_that_cannot_renew_stops_leading_when_its_lease_has_expired(client: Overtaken) -> None:
    answer = threading.Event()
    with leader(client, lease_seconds=0.5, renew_interval=0.1) as (election, _):
        client.overtake = lambda: answer.wait(30)
        wait_until(lambda: not election.is_leader())
        assert not answer.is_set(), "it stopped without an answer from Redis"
        answer.set()


def test_a_leader_that_resigns_makes_room_at_once(redis: Redis, client: Overtaken) -> None:
    with leader(client) as (election, _):
        pass
    assert redis.get(RECONCILER_KEY) is None
    assert not election.is_leader()
