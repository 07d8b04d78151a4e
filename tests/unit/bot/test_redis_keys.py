"""docs/redis.md lists every Redis key and which ones are signed."""

import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from bot.handlers.delivery import Delivery
from bot.listeners.heartbeat import Heartbeat
from bot.listeners.inbox import Inbox
from bot.listeners.rate_limit import RateLimiter
from bot.listeners.receiver import DeliveryReceiver
from bot.watch.model import WatchMode, WatchState
from imker.config import AcceptanceRules
from imker.protocol.commands import Hold
from imker.protocol.events import JobStarted, NodeTable
from imker.protocol.version import HOST_OBSERVATION_KEY, KNOWN_SWARM_KEY, LAST_NODES_KEY, OBSERVATION_KEY
from imker.protocol.version import RECONCILER_KEY as LEASE
from jobs import run
from jobs.daemon_options import OptionFiles, UnitFacts
from jobs.events.option_digests import save_options
from jobs.events.writer import EventWriter
from tests.support.bot_harness import IDS, KEY, OPS
from tests.unit.bot.runs.test_tampering import FILE, World

ROOT = Path(__file__).parents[3]
ROW = re.compile(r"^ +\| (`.*?) \| .*? \| .*? \| (.*?) \|$", re.MULTILINE)
SIGNED = re.compile(rb"[0-9a-f]{64} ")
NOT_HERE = {"imker:consumed:*", "lock:*", "fence:*", "rq:*"}  # keys of the RQ workers and of RQ


def table() -> dict[str, bool]:
    """Return each key pattern of the document and whether it is listed as signed."""
    rows = ROW.findall((ROOT / "docs/redis.md").read_text())
    named = {key: why.startswith("signed") for keys, why in rows for key in re.findall(r"`([^`]+)`", keys)}
    return {key.replace("RUN", "*").replace("ID", "*").replace("HOST", "*"): signed for key, signed in named.items()}


def row(key: str, patterns: dict[str, bool]) -> str:
    """Return the most specific pattern that matches. `*` matches one part of a key, or the rest at the end."""
    fits = [pattern for pattern in patterns if fnmatchcase(key, pattern)]
    return max(fits, key=lambda pattern: (pattern.count(":"), len(pattern)), default="")


def values(redis: Redis, key: bytes) -> list[Any]:
    match redis.type(key):
        case b"hash":
            return list(redis.hgetall(key).values())  # type: ignore[union-attr]
        case b"zset":
            return list(redis.zrange(key, 0, -1))  # type: ignore[arg-type]
        case b"stream":
            return [fields[b"event"] for _, fields in redis.xrange(key)]  # type: ignore[union-attr]
        case b"set":
            return list(redis.smembers(key))  # type: ignore[arg-type]
        case _:
            return [redis.get(key)]


@pytest.fixture
def world(redis: Redis) -> World:
    """Write every key of the bot, the reconciler, and the jobs."""
    new_world = World(redis, FILE)
    bot = DeliveryReceiver(
        new_world.handler, Inbox(redis, KEY, lambda: new_world.timestamp.unix), new_world.channel, RateLimiter(99)
    )  # type: ignore[arg-type]
    url, at = "https://hooks.slack.com/commands/1", new_world.timestamp.unix
    bot.persist(Delivery("command", "trigger.1", IDS["alice"], OPS, "migrate tondi", url, at))
    bot.receive(Delivery("command", "trigger.2", IDS["alice"], OPS, "migrate tondi", url, at), lambda: None)  # type: ignore[arg-type]
    pending = new_world.create_run("pending", needed=2)
    new_world.clicks("bob", f"{pending}:1", "accept")
    new_world.runs.hold(new_world.create_run("running"), Hold("pause", IDS["alice"], at))
    new_world.runs.claim_delivery("v0=1")
    redis.set(LEASE, b"1")
    Heartbeat(redis, lambda: True).beat()
    run.publish_inventory(redis, KEY, {}, AcceptanceRules())
    journal = EventWriter(redis, KEY, pending, 1, lambda: at)
    journal.save_signed(LAST_NODES_KEY, "{}")
    for name in (KNOWN_SWARM_KEY, OBSERVATION_KEY, HOST_OBSERVATION_KEY):
        journal.save_signed(name, "{}")
    save_options(journal, "kaditz", OptionFiles(UnitFacts("", (), ()), {}))
    journal.emit(JobStarted())
    journal.emit(NodeTable("tondi", at, ()))
    new_world.look()
    new_world.runs.lost.add(pending, at + 60)
    new_world.runs.home.open(IDS["alice"], at)
    new_world.runs.welcomes.request(OPS)
    new_world.runs.posted_messages.update_welcomed(**{OPS: "1.1"})
    new_world.runs.watch.save_mode(WatchMode())
    new_world.runs.watch.save_state(WatchState())
    new_world.runs.posted_messages.update_watched(**{"node-1": "1.1"})
    return new_world


def test_the_document_lists_every_key_and_every_signed_key_is_signed(world: World) -> None:
    patterns, used = table(), set()
    assert len(patterns) > 15
    for key in world.redis.keys("*"):
        name = key.decode()
        pattern = row(name, patterns)
        assert pattern, f"docs/redis.md does not list {name}"
        used.add(pattern)
        if patterns[pattern]:
            stored = values(world.redis, key)
            assert stored, name
            assert all(SIGNED.match(value) for value in stored), f"{name} is not signed"
    assert set(patterns) - used <= NOT_HERE, "every listed key exists"
