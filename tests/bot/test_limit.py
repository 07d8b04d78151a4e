"""How much one person may ask: no more is written down, each is answered, and the record has one of them a minute."""

from typing import Any

import pytest
from redis import Redis

from bot import desk
from bot.inbox import Delivery, Inbox
from bot.limit import Limit
from bot.reception import Reception
from tests.bot.desk import IDS, KEY, OPS, Bench, configured
from tests.bot.test_inbox import Slack

ALL = configured('[slack]\nchannels = ["C01OPS"]\n[rights]\nread = ["*"]\nchange = ["*"]\naccept = ["*"]')


class World:
    def __init__(self, redis: Redis) -> None:
        self.bench, self.slack, self.now, self.number = Bench(redis, ALL), Slack(), 0.0, 0
        inbox, limit = Inbox(redis, KEY, lambda: self.bench.moment.wall), Limit(3, lambda: self.now)
        self.reception = Reception(self.bench.desk, inbox, self.slack, limit)  # type: ignore[arg-type]

    def types(self, who: str, text: str = "nodes") -> bool:
        """Whether it became a run."""
        self.number += 1
        before, acks = len(self.bench.requests()), list[int]()
        known, at = f"trigger.{self.number}", self.bench.moment.wall
        ack: Any = lambda: acks.append(1)  # noqa: E731
        self.reception.receive(Delivery("command", known, IDS[who], OPS, text, "", at), ack)
        assert acks, "Slack hears that it was heard"
        return len(self.bench.requests()) > before


@pytest.fixture
def world(redis: Redis) -> World:
    return World(redis)


def test_more_than_that_is_refused_in_words_until_a_minute_has_passed(world: World, redis: Redis) -> None:
    assert [world.types("alice") for _ in range(5)] == [True, True, True, False, False]
    assert world.types("bob"), "nobody else is kept waiting"
    assert [told["user"] for told in world.slack.told] == [IDS["alice"]] * 2
    assert "more than 3 commands and clicks of yours within a minute" in world.slack.told[0]["text"]
    assert redis.scard("bot:inbox") == 0
    world.now = 60.0
    assert world.types("alice")


def test_the_record_has_one_of_them_a_minute(world: World) -> None:
    for minute in range(3):
        world.now = minute * 60.0
        for _ in range(10):
            world.types("alice", "hunter2")
    refused = [fact for fact in world.bench.recorded() if fact.said.get("why") == "often"]
    assert [fact.who for fact in refused] == [IDS["alice"]] * 3
    assert "hunter2" not in str(refused)


def test_so_many_runs_at_once_and_no_more(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk, "MOST", 2)
    assert [world.types(who) for who in ("alice", "bob", "carol")] == [True, True, False]
    assert "2 runs go on or wait already" in world.slack.told[0]["text"]
