"""What a newer Imker signed and this one does not understand is skipped and logged once: it ends and hides nothing.

A newer version has verdicts, holds and commands that this one does not know; a downgrade leaves them in Redis.
"""

import json
from typing import Any

import pytest
from redis import Redis
from structlog.testing import capture_logs

from bot.inbox import INBOX, LEFT, Delivery, Inbox
from bot.limit import Limit
from bot.reception import Reception
from imker import forgery, signing
from jobs import contract
from jobs.contract import Hold
from tests.bot.desk import IDS, KEY, OPS
from tests.bot.test_forged import FILE, World
from tests.bot.test_inbox import ASKED, Slack


@pytest.fixture
def world(redis: Redis) -> World:
    forgery.unreadable.cache_clear()  # each run of these tests has the same ID
    return World(redis, FILE)


def newer(world: World, place: str, **changed: Any) -> None:
    """What is signed there, as a newer version would have written it."""
    text = signing.opened(KEY, place, world.redis.get(place))
    assert text is not None
    world.redis.set(place, signing.seal(KEY, place, json.dumps({**json.loads(text), **changed})))


def test_a_newer_delivery_ends_no_bot_and_keeps_none_waiting(world: World) -> None:
    slack = Slack()
    inbox = Inbox(world.redis, KEY, lambda: world.moment.wall)
    bot = Reception(world.desk, inbox, slack, Limit(1000))  # type: ignore[arg-type]
    for name in ("trigger.1", "trigger.2", "trigger.3"):
        inbox.take(Delivery("command", name, ASKED.user, OPS, "help", "", world.moment.wall))
    newer(world, f"{INBOX}:trigger.1", verdict="postpone")
    world.later(LEFT + 1)
    with capture_logs() as logs:
        bot.catch_up()
        bot.catch_up()
    assert len(slack.told) == 2
    assert [line["place"] for line in logs if line["log_level"] == "warning"] == [f"{INBOX}:trigger.1"]
    assert world.redis.exists(f"{INBOX}:trigger.1"), "it is left for the newer version"


NEWER = {
    "a record's command": ("bot:run:{run}", {"command": {"type": "teleport", "host": "kaditz"}}),
    "a record without what was asked": ("bot:run:{run}", {"asked_at": None}),
    "a decision's verdict": ("bot:run:{run}:decision:1", {"verdict": "postpone"}),
}


@pytest.mark.parametrize(("place", "changed"), NEWER.values(), ids=NEWER)
def test_a_newer_run_hides_no_other(world: World, place: str, changed: dict[str, Any]) -> None:
    other, run = world.run("running"), world.run("warned")
    world.clicks("alice", f"{run}:1", "continue")
    newer(world, place.format(run=run), **changed)
    world.runs.posted.forget(other)
    with capture_logs() as logs:
        world.look()
        world.look()
    assert world.channel.posted[other]
    assert run in world.runs.open_runs(), "it is left for the newer version"
    places = [line["place"] for line in logs if line.get("place")]
    assert places == [place.format(run=run)]
    assert not [line for line in logs if line["log_level"] == "error"]
    bot = Reception(world.desk, Inbox(world.redis, KEY, lambda: world.moment.wall), world.channel, Limit(1000))  # type: ignore[arg-type]
    for number, typed in enumerate(("status", "pause", f"status {run}", f"pause {run}", f"status {other}"), 1):
        bot.receive(Delivery("command", f"t.{number}", IDS["alice"], OPS, typed, "", world.moment.wall), lambda: None)  # type: ignore[arg-type]
        assert len(world.channel.private) == number, typed
    assert "another version of Imker" in world.channel.private[2]
    assert "Migrate kaditz" in world.channel.private[-1]


def test_a_newer_hold_is_no_word_and_the_one_before_it_counts(world: World) -> None:
    run, at = world.starts(), world.moment.wall
    world.runs.hold(run, Hold("pause", IDS["alice"], at + 5.0))
    text = json.dumps({"what": "postpone", "by": IDS["alice"], "at": at + 10.0})
    place = f"{contract.hold_key(run)} {at + 10.0!r}"
    world.redis.zadd(contract.hold_key(run), {signing.seal(KEY, place, text): at + 10.0})
    held = world.runs.held(run)
    assert held
    assert held.what == "pause"
    world.look()
    assert list(world.requests()) == [f"{run}-1"]


def test_fields_that_a_newer_version_added_are_no_trouble(world: World) -> None:
    run = world.run("warned")
    newer(world, f"bot:run:{run}", mood="good")
    assert world.runs.record(run)
