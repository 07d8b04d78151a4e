"""While Slack is slow to return a user, each command gets one reply and a dead connection is noticed."""

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
from tests.unit.bot.listeners.test_receiver import ALL, AT, COMMAND

HELP = Delivery("command", "trigger.7", COMMAND.user, COMMAND.channel, "help", "", AT)


@dataclass
class SlowSlack(FakeUsersApi):
    """A Slack client whose `users.info` waits for `answers`; it records private replies."""

    requested: threading.Event = field(default_factory=threading.Event)
    answers: threading.Event = field(default_factory=threading.Event)
    replies: list[dict[str, Any]] = field(default_factory=list)

    def users_info(self, user: str) -> dict[str, Any]:
        self.requested.set()
        assert self.answers.wait(30)
        return super().users_info(user)

    def chat_postEphemeral(self, **arguments: Any) -> None:
        self.replies.append(arguments)


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


def test_a_command_delayed_by_slack_gets_one_reply(world: World) -> None:
    world.begins(world.bot.receive, HELP, lambda: None)
    assert world.slack.requested.wait(10)
    world.now += ABANDONED_AFTER + 1
    world.begins(world.bot.recover_abandoned)
    world.ends()
    assert len(world.slack.replies) == 1
    assert world.inbox.abandoned() == []


def test_a_mention_waiting_for_a_thread_gets_one_reply(world: World) -> None:
    """Bolt's threads are busy with other commands."""
    assert world.bot.persist(HELP)
    world.now += ABANDONED_AFTER + 1
    world.slack.answers.set()
    world.bot.recover_abandoned()
    world.bot.handle(HELP)
    assert len(world.slack.replies) == 1


def test_a_delivery_that_never_finishes_expires(world: World) -> None:
    assert world.bot.persist(HELP)
    world.now += EXPIRES_AFTER + 1
    world.bot.recover_abandoned()
    (replies,) = world.slack.replies
    assert replies["text"].startswith("`/swarm help` expired because the bot was down")


def test_notices_an_unresponsive_connection_while_recovering_deliveries(world: World) -> None:
    world.inbox.add(HELP)
    world.now += ABANDONED_AFTER + 1
    ended: list[int] = []
    problem = [""]
    world.begins(lambda: ended.append(_watch_transports([lambda: problem[0]], world.bot, threading.Event())))
    assert world.slack.requested.wait(10)
    problem[0] = "the Socket Mode connection does not respond"
    world.threads[0].join(5)
    assert ended == [1]
    world.ends()


def test_an_error_does_not_stop_the_recovery_of_deliveries(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
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
