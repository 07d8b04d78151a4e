"""While Slack is slow to say who somebody is: each command is answered once, and a dead connection is still noticed."""

import threading
from dataclasses import dataclass, field
from typing import Any

import pytest
from redis import Redis

from bot.handlers.delivery import Delivery
from bot.listeners.inbox import ABANDONED_AFTER, EXPIRES_AFTER, Inbox
from bot.listeners.rate_limit import RateLimiter
from bot.listeners.receiver import DeliveryReceiver
from bot.serve import _watch_transports
from tests.support.bot_harness import KEY, BotHarness, FakeUsersApi
from tests.unit.bot.listeners.test_receiver import ALL, ASKED, AT

HELP = Delivery("command", "trigger.7", ASKED.user, ASKED.channel, "help", "", AT)


@dataclass
class SlowSlack(FakeUsersApi):
    """Answers `users.info` only when `answers` is set; notes what is told in private."""

    asked: threading.Event = field(default_factory=threading.Event)
    answers: threading.Event = field(default_factory=threading.Event)
    told: list[dict[str, Any]] = field(default_factory=list)

    def users_info(self, user: str) -> dict[str, Any]:
        self.asked.set()
        assert self.answers.wait(30)
        return super().users_info(user)

    def chat_postEphemeral(self, **said: Any) -> None:
        self.told.append(said)


class World:
    def __init__(self, redis: Redis) -> None:
        self.slack, self.now = SlowSlack(), AT
        bench = BotHarness(redis, ALL, self.slack)
        self.inbox = Inbox(redis, KEY, lambda: self.now)
        self.bot = DeliveryReceiver(bench.handler, self.inbox, self.slack, RateLimiter(1000))  # type: ignore[arg-type]
        self.threads: list[threading.Thread] = []

    def begins(self, work: Any, *arguments: Any) -> None:
        self.threads.append(threading.Thread(target=work, args=arguments, daemon=True))
        self.threads[-1].start()

    def ends(self) -> None:
        self.slack.answers.set()
        for thread in self.threads:
            thread.join(30)


@pytest.fixture
def world(redis: Redis) -> World:
    return World(redis)


def test_a_command_that_slack_keeps_waiting_is_answered_once(world: World) -> None:
    world.begins(world.bot.receive, HELP, lambda: None)
    assert world.slack.asked.wait(10)
    world.now += ABANDONED_AFTER + 1
    world.begins(world.bot.recover_abandoned)
    world.ends()
    assert len(world.slack.told) == 1
    assert world.inbox.abandoned() == []


def test_a_mention_that_waits_for_its_thread_is_answered_once(world: World) -> None:
    """Bolt has many others to begin first."""
    assert world.bot.persist(HELP)
    world.now += ABANDONED_AFTER + 1
    world.slack.answers.set()
    world.bot.recover_abandoned()
    world.bot.handle(HELP)
    assert len(world.slack.told) == 1


def test_one_that_stays_in_hand_for_ever_is_told_in_the_end(world: World) -> None:
    assert world.bot.persist(HELP)
    world.now += EXPIRES_AFTER + 1
    world.bot.recover_abandoned()
    (told,) = world.slack.told
    assert told["text"].startswith("Not done, unless `/swarm status` shows it")


def test_a_connection_that_went_deaf_is_noticed_while_something_is_caught_up(world: World) -> None:
    world.inbox.add(HELP)
    world.now += ABANDONED_AFTER + 1
    ended: list[int] = []
    deaf = [""]
    world.begins(lambda: ended.append(_watch_transports([lambda: deaf[0]], world.bot, threading.Event())))
    assert world.slack.asked.wait(10)
    deaf[0] = "the Socket Mode connection does not respond"
    world.threads[0].join(5)
    assert ended == [1]
    world.ends()


def test_what_breaks_catching_up_does_not_end_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []

    def breaks() -> None:
        looks.append(1)
        raise ValueError("broken")

    monkeypatch.setattr(world.bot, "recover_abandoned", breaks)
    over = threading.Event()
    world.begins(_watch_transports, [lambda: ""], world.bot, over)
    for _ in range(100):
        if len(looks) > 1:
            break
        over.wait(0.1)
    over.set()
    world.ends()
    assert len(looks) > 1
