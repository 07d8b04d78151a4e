"""Test a downgrade: values that a newer version signed are skipped and logged once, and hide nothing else.

A newer version has choices, holds, and commands that this one does not know, and leaves them in Redis.
"""

import json
from typing import Any

import pytest
from redis import Redis
from structlog.testing import capture_logs

from bot.handlers.delivery import Delivery
from bot.listeners.inbox import ABANDONED_AFTER, INBOX_KEY, Inbox
from bot.listeners.rate_limit import RateLimiter
from bot.listeners.receiver import DeliveryReceiver
from imker import ignored_values, signing
from imker.protocol import version
from imker.protocol.commands import Hold
from tests.support.bot_harness import IDS, KEY, OPS, current_hold
from tests.unit.bot.listeners.test_receiver import COMMAND, Slack
from tests.unit.bot.runs.test_tampering import FILE, World


@pytest.fixture
def world(redis: Redis) -> World:
    ignored_values.log_other_version.cache_clear()  # the run IDs repeat from test to test
    return World(redis, FILE)


def rewrite_as_newer(world: World, place: str, **changed: Any) -> None:
    """Change fields of the signed value at `place`, as a newer version would have written it."""
    text = signing.open_signed(KEY, place, world.redis.get(place))
    assert text is not None
    world.redis.set(place, signing.sign_for(KEY, place, json.dumps({**json.loads(text), **changed})))


def test_skips_a_newer_delivery_and_handles_the_others(world: World) -> None:
    slack = Slack()
    inbox = Inbox(world.redis, KEY, lambda: world.timestamp.unix)
    bot = DeliveryReceiver(world.handler, inbox, slack, RateLimiter(1000))  # type: ignore[arg-type]
    for name in ("trigger.1", "trigger.2", "trigger.3"):
        inbox.add(Delivery("command", name, COMMAND.user, OPS, "help", "", world.timestamp.unix))
    rewrite_as_newer(world, f"{INBOX_KEY}:trigger.1", choice="postpone")
    world.advance_clock(ABANDONED_AFTER + 1)
    with capture_logs() as logs:
        bot.recover_abandoned()
        bot.recover_abandoned()
    assert len(slack.replies) == 2
    assert [line["place"] for line in logs if line["log_level"] == "warning"] == [f"{INBOX_KEY}:trigger.1"]
    assert world.redis.exists(f"{INBOX_KEY}:trigger.1"), "it stays in Redis for the newer version"


NEWER = {
    "a record's command": ("bot:run:{run}", {"command": {"type": "teleport", "host": "kaditz"}}),
    "a record without its time": ("bot:run:{run}", {"requested_at": None}),
    "a decision's choice": ("bot:run:{run}:decision:1", {"choice": "postpone"}),
}


@pytest.mark.parametrize(("place", "changed"), NEWER.values(), ids=NEWER)
def test_skips_a_newer_run_and_shows_the_others(world: World, place: str, changed: dict[str, Any]) -> None:
    other, run = world.create_run("running"), world.create_run("warned")
    world.clicks("alice", f"{run}:1", "continue")
    rewrite_as_newer(world, place.format(run=run), **changed)
    world.runs.posted_messages.delete(other)
    with capture_logs() as logs:
        world.look()
        world.look()
    assert world.channel.posts[other]
    assert run in world.runs.open_runs(), "it stays in Redis for the newer version"
    places = [line["place"] for line in logs if line.get("place")]
    assert places == [place.format(run=run)]
    assert not [line for line in logs if line["log_level"] == "error"]
    bot = DeliveryReceiver(
        world.handler, Inbox(world.redis, KEY, lambda: world.timestamp.unix), world.channel, RateLimiter(1000)
    )  # type: ignore[arg-type]
    for number, command in enumerate(("status", "pause", f"status {run}", f"pause {run}", f"status {other}"), 1):
        bot.receive(
            Delivery("command", f"t.{number}", IDS["alice"], OPS, command, "", world.timestamp.unix), lambda: None
        )  # type: ignore[arg-type]
        assert len(world.channel.private) == number, command
    assert "another version of Imker" in world.channel.private[2]
    assert "Migrate kaditz" in world.channel.private[-1]


def test_skips_a_newer_hold_and_uses_the_one_before_it(world: World) -> None:
    run, at = world.starts(), world.timestamp.unix
    world.runs.hold(run, Hold("pause", IDS["alice"], at + 5.0))
    text = json.dumps({"action": "postpone", "user": IDS["alice"], "requested_at": at + 10.0})
    place = f"{version.hold_key(run)} {at + 10.0!r}"
    world.redis.zadd(version.hold_key(run), {signing.sign_for(KEY, place, text): at + 10.0})
    hold = current_hold(world.runs, run)
    assert hold
    assert hold.action == "pause"
    world.look()
    assert list(world.enqueued_requests()) == [f"{run}-1"]


def test_ignores_fields_that_a_newer_version_added(world: World) -> None:
    run = world.create_run("warned")
    rewrite_as_newer(world, f"bot:run:{run}", mood="good")
    assert world.runs.record(run)
