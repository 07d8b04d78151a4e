"""Requests over the rate limit are not saved. Each gets a reply; the audit log gets one entry a minute."""

from typing import Any

import pytest
from redis import Redis

from bot.handlers import start
from bot.handlers.delivery import Delivery
from bot.listeners.inbox import Inbox
from bot.listeners.rate_limit import RateLimiter
from bot.listeners.receiver import DeliveryReceiver
from tests.support.bot_harness import IDS, KEY, OPS, BotHarness, parse_settings_file
from tests.unit.bot.listeners.test_receiver import Slack

ALL = parse_settings_file('[slack]\nchannels = ["C01OPS"]\n[rights]\nread = ["*"]\nchange = ["*"]\naccept = ["*"]')


class World:
    def __init__(self, redis: Redis) -> None:
        self.bench, self.slack, self.now, self.number = BotHarness(redis, ALL), Slack(), 0.0, 0
        inbox, limit = Inbox(redis, KEY, lambda: self.bench.timestamp.unix), RateLimiter(3, lambda: self.now)
        self.reception = DeliveryReceiver(self.bench.handler, inbox, self.slack, limit)  # type: ignore[arg-type]

    def types(self, who: str, text: str = "nodes") -> bool:
        """Run a command and return whether it became a run."""
        self.number += 1
        before, acks = len(self.bench.enqueued_requests()), list[int]()
        trigger_id, at = f"trigger.{self.number}", self.bench.timestamp.unix
        ack: Any = lambda: acks.append(1)  # noqa: E731
        self.reception.receive(Delivery("command", trigger_id, IDS[who], OPS, text, "", at), ack)
        assert acks, "the command is acknowledged"
        return len(self.bench.enqueued_requests()) > before


@pytest.fixture
def world(redis: Redis) -> World:
    return World(redis)


def test_refuses_requests_over_the_limit_for_a_minute(world: World, redis: Redis) -> None:
    assert [world.types("alice") for _ in range(5)] == [True, True, True, False, False]
    assert world.types("bob"), "other users are not affected"
    assert [reply["user"] for reply in world.slack.replies] == [IDS["alice"]] * 2
    assert "Rate limit reached (3 commands and clicks per minute)." in world.slack.replies[0]["text"]
    assert redis.scard("bot:inbox") == 0
    world.now = 60.0
    assert world.types("alice")


def test_the_audit_log_gets_one_refusal_a_minute(world: World) -> None:
    for minute in range(3):
        world.now = minute * 60.0
        for _ in range(10):
            world.types("alice", "hunter2")
    refused = [fact for fact in world.bench.audit_facts() if fact.details.get("why") == "often"]
    assert [fact.user for fact in refused] == [IDS["alice"]] * 3
    assert "hunter2" not in str(refused)


def test_limits_the_number_of_open_runs(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start, "MAX_OPEN_RUNS", 2)
    assert [world.types(who) for who in ("alice", "bob", "carol")] == [True, True, False]
    assert "2 runs are already open" in world.slack.replies[0]["text"]
