"""Test that someone who can write to Redis but has no key cannot start jobs, decide, or suppress messages.

Uses the real command handler, run store, and reconciler, with a fake Slack that accepts everything.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from redis import Redis
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer

from bot.handlers.delivery import Delivery
from bot.listeners.inbox import ABANDONED_AFTER, RETENTION, Inbox
from bot.listeners.rate_limit import RateLimiter
from bot.listeners.receiver import DeliveryReceiver
from bot.reconciler.alerts import Alerts
from bot.reconciler.audit_checkpoints import AuditCheckpoints
from bot.reconciler.loop import Reconciler
from bot.reconciler.orphaned_messages import OrphanedMessages
from bot.reconciler.publisher import Publisher
from bot.records import DAY
from imker.audit_log import AuditLog
from imker.protocol import codec, commands, signed, version
from imker.protocol.commands import Hold, Migrate
from imker.protocol.events import DecisionRequested, Event, EventBody, FleetPlanned, NodeTable
from imker.protocol.values import Candidate, HostPlan, Quorum
from imker.signing import SigningKey
from jobs import admission
from tests.support import streams
from tests.support.bot_harness import (
    IDS,
    KEY,
    NODE,
    OPS,
    TS,
    BotHarness,
    current_hold,
    parse_settings_file,
    settings_of,
)

FILE = parse_settings_file("""
[slack]
channels = ["C01OPS"]
[rights]
read = ["*"]
change = ["U01ALICE"]
accept = ["U02BOB"]
""")
MALLORYS = SigningKey("m" * 64)
EVIL = FleetPlanned(
    (HostPlan("kaditz", "worker", 3, 0, ""), HostPlan("tondi", "manager", 3, 0, "", warnings_fingerprint="f00d")),
    parallel=9,
)
ANOTHER = DecisionRequested(
    "accept", "f00d", Candidate("tondi", "evil", "198.18.0.73", "tondi", "26"), Quorum(1, 0, 2, 0), "tondi"
)


class Slack:
    """Fake Slack. `posts`: the texts of each run's message, in order."""

    def __init__(self) -> None:
        self.posts: dict[str, list[str]] = {}
        self.blocks: dict[str, list[str]] = {}
        self.private: list[str] = []

    def chat_postMessage(self, **arguments: Any) -> dict[str, str]:
        run = arguments["metadata"]["event_payload"].get("run", "")
        self.posts.setdefault(run, []).append(arguments["text"])
        self.blocks.setdefault(run, []).append(str(arguments["blocks"]))
        return {"ts": run}

    def chat_update(self, **arguments: Any) -> None:
        self.posts.setdefault(arguments["ts"], []).append(arguments["text"])

    def chat_postEphemeral(self, **arguments: Any) -> None:
        self.private.append(arguments["text"])

    def auth_test(self) -> dict[str, str]:
        return {"user_id": "U00IMKER"}

    def users_info(self, user: str) -> dict[str, Any]:
        return {"user": {"id": user, "name": user}}

    def __getattr__(self, call: str) -> Callable[..., dict[str, Any]]:
        return lambda **_: {"messages": [], "ok": True, "user": {}, "user_id": "U00IMKER"}


class World(BotHarness):
    def __post_init__(self) -> None:
        super().__post_init__()
        self.channel = Slack()
        witness = AuditCheckpoints(self.channel, AuditLog(self.redis), self.runs, OPS, lambda: self.timestamp.unix)  # type: ignore[arg-type]
        messages = Publisher(self.runs, self.channel, lambda: self.timestamp.boot_seconds)  # type: ignore[arg-type]
        orphans = OrphanedMessages(self.channel, self.runs, (OPS,), lambda: self.timestamp.unix)  # type: ignore[arg-type]
        alerts = Alerts(settings_of(self.file), self.channel, self.runs, lambda channel, user: True)  # type: ignore[arg-type]
        self.reconciler = Reconciler(self.runs, messages, witness, orphans, alerts, lambda: self.timestamp.unix)

    def look(self, seconds: float = 60.0) -> None:
        self.advance_clock(seconds)
        self.reconciler.reconcile_all()

    def forges(self, run: str, body: EventBody, key: SigningKey = MALLORYS, number: int = 99) -> None:
        text = codec.encode_message(Event(run, 1, number, self.timestamp.unix, body))
        self.redis.xadd(version.events_key(run), streams.signed_entry(run, text, key))  # type: ignore[arg-type]

    def starts(self) -> str:
        run = self.create_run("fleet")
        self.clicks("alice", f"{run}:1", "start")
        return run


@pytest.fixture
def world(redis: Redis) -> World:
    return World(redis, FILE)


def unsigned(world: World, run: str) -> None:
    text = codec.encode_message(Event(run, 1, 2, 1.0, EVIL))
    world.redis.xadd(version.events_key(run), {"event": text})


FORGERIES: dict[str, Callable[[World, str], None]] = {
    "unsigned": unsigned,
    "with another key": lambda world, run: world.forges(run, EVIL, number=2),
    "from another run's stream": lambda world, run: world.redis.xadd(
        version.events_key(run),
        streams.signed_entry("another1", codec.encode_message(Event(run, 1, 2, 1.0, EVIL)), KEY),  # type: ignore[arg-type]
    ) and None,
}  # fmt: skip


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_a_forged_plan_migrates_no_host(world: World, forge: Callable[[World, str], None]) -> None:
    run = world.starts()
    forge(world, run)
    world.look()
    commands = [
        request.command for request in world.enqueued_requests().values() if isinstance(request.command, Migrate)
    ]
    assert commands == [Migrate("kaditz", "worker")]


def test_reports_rq_workers_with_another_key(world: World) -> None:
    """RQ workers with another key reject the job, and their events are hidden."""
    world.types("alice", "migrate kaditz")
    (name,) = world.enqueued_requests()
    run = name.removesuffix("-1")
    with pytest.raises(admission.JobRejected):
        admission.admit(*world.job_arguments(name), MALLORYS, world.redis, world.timestamp.unix)
    Job.fetch(name, world.redis, JSONSerializer).set_status(JobStatus.FAILED)
    world.look()
    (rendered,) = world.channel.blocks[run]
    assert "Either the RQ workers use a different `IMKER_SIGNING_KEY`, or something else writes to Redis." in rendered
    assert "This run's outcome cannot be read" in rendered
    assert "The RQ worker stopped" not in rendered


def test_a_signed_plan_migrates_hosts(world: World) -> None:
    """Check that the forged plan would migrate hosts if it were signed."""
    run = world.starts()
    world.forges(run, EVIL, KEY, 2)
    world.look()
    assert len(world.enqueued_requests()) == 3


@pytest.mark.parametrize("days", [8, 20])
def test_reopening_a_finished_fleet_starts_no_host(world: World, days: int) -> None:
    """Check this even after the runs of its hosts were deleted from Redis."""
    run = world.starts()
    world.look()
    world.runs.close(run)
    for key in world.redis.keys("rq:job:*") + world.redis.keys("bot:run:*"):
        if run.encode() not in key:
            world.redis.delete(key)
    world.advance_clock(days * DAY)
    world.redis.sadd("bot:open", run)
    world.look()
    assert [
        request.command for request in world.enqueued_requests().values() if isinstance(request.command, Migrate)
    ] == []
    assert "started more than 7 days ago" in world.channel.posts[TS][-1]
    assert run not in world.runs.open_runs()


def test_a_forged_question_does_not_change_the_accepted_node(world: World) -> None:
    run = world.create_run("pending")
    world.clicks("bob", f"{run}:1", "accept")
    world.redis.delete(f"rq:job:{run}-2")
    world.forges(run, ANOTHER)
    world.look()
    assert world.enqueued_requests()[f"{run}-2"].command == commands.Accept(NODE)


@pytest.mark.parametrize(
    ("key", "expected"),
    [(MALLORYS, "This run's outcome cannot be read"), (KEY, "the job didn't start within 24 hours")],
    ids=["forged", "signed, with another fingerprint"],
)
def test_enqueues_no_job_for_a_decision_whose_question_is_gone(world: World, key: SigningKey, expected: str) -> None:
    run = world.create_run("pending")
    world.clicks("bob", f"{run}:1", "accept")
    world.redis.delete(f"rq:job:{run}-2", version.events_key(run))
    world.forges(run, replace(ANOTHER, fingerprint="another"), key)
    world.look()
    assert f"{run}-2" not in world.enqueued_requests()
    other = world.create_run("running")
    world.runs.posted_messages.delete(other)
    world.look()
    assert world.channel.posts[other], "the other runs are shown"
    world.look(DAY)
    assert expected in world.channel.posts[TS][-1]


def test_restoring_an_old_record_starts_nothing(world: World) -> None:
    world.types("alice", "migrate kaditz")
    (key,) = (key for key in world.redis.keys("bot:run:*") if key.count(b":") == 2)
    run, stored = key.decode().rpartition(":")[2], world.redis.get(key)
    world.redis.flushall()
    world.advance_clock(40 * DAY)
    world.redis.set(key, stored)  # type: ignore[arg-type]
    world.redis.sadd("bot:open", run)
    world.look()
    assert world.enqueued_requests() == {}
    assert "the job didn't start within 24 hours" in world.channel.posts[run][-1]
    assert world.runs.open_runs() == []


def test_a_job_that_is_enqueued_again_expires_at_the_same_time(world: World) -> None:
    world.types("alice", "migrate kaditz")
    (name,) = world.enqueued_requests()
    requested_at = world.timestamp.unix
    world.redis.delete(f"rq:job:{name}")
    world.look(DAY - 3600)
    assert world.enqueued_requests()[name].expires_at == pytest.approx(requested_at + DAY, abs=1)


def test_restoring_an_old_delivery_runs_no_command(world: World) -> None:
    inbox = Inbox(world.redis, KEY, lambda: world.timestamp.unix)
    delivery = Delivery("command", "trigger.1", IDS["alice"], OPS, "migrate kaditz", "", world.timestamp.unix)
    inbox.add(delivery)
    stored = world.redis.get("bot:inbox:trigger.1")
    world.advance_clock(RETENTION + 1)
    world.redis.set("bot:inbox:trigger.1", stored)  # type: ignore[arg-type]
    assert inbox.abandoned() == []
    assert not world.redis.exists("bot:inbox", "bot:inbox:trigger.1")


# --- holds ------------------------------------------------------------------------------------------------------------

HOLD_TEXT = '{"action":"resume","user":"U01ALICE","requested_at":1.0}'
HOLDS: dict[str, Callable[[World, str], dict[Any, float]]] = {
    "garbage": lambda world, run: {b"\xff": 1e12},
    "an unsigned hold": lambda world, run: {HOLD_TEXT: 1e12},
    "with another key": lambda world, run: {
        signed.sign_hold(run, Hold("resume", "U01ALICE", 1.0), 1e12, MALLORYS): 1e12
    },
    "an older one, made the newest": lambda world, run: {
        world.redis.zrange(version.hold_key(run), 0, 0)[0]: 1e12,  # type: ignore[index]
    },
}  # fmt: skip


@pytest.mark.parametrize("forge", HOLDS.values(), ids=HOLDS)
def test_ignores_forged_holds(world: World, forge: Callable[[World, str], dict[Any, float]]) -> None:
    run, at = world.starts(), world.timestamp.unix
    for what, after in (("resume", 5.0), ("pause", 10.0)):
        world.runs.hold(run, Hold(what, "U01ALICE", at + after))  # type: ignore[arg-type]
    world.redis.zadd(version.hold_key(run), forge(world, run))
    hold = current_hold(world.runs, run)
    assert hold
    assert (hold.action, hold.requested_at) == ("pause", at + 10.0)
    world.look()
    assert list(world.enqueued_requests()) == [f"{run}-1"]
    world.runs.hold(run, Hold("resume", "U01ALICE", at + 20.0))
    world.look()
    assert len(world.enqueued_requests()) == 2, "a later real hold counts"


# --- unreadable values ----------------------------------------------------------------------------------------------


def overwrite(key: str, stored: Any) -> Callable[[World, str], Any]:
    def sabotage(world: World, run: str) -> None:
        world.redis.delete(key.format(run=run))
        world.redis.set(key.format(run=run), stored)

    return sabotage


SABOTAGE: dict[str, Callable[[World, str], Any]] = {
    "a hold of another type": overwrite("run:{run}:hold", "x"),
    "events of another type": overwrite("run:{run}:events", "x"),
    "a record of another type": lambda world, run: world.redis.rename("bot:open", f"bot:run:{run}"),
    "a decision": overwrite("bot:run:{run}:decision:1", "x"),
    "what was posted": lambda world, run: world.redis.hset(f"bot:run:{run}:posted", b"\xff", b"\xff"),
    "what was posted, of another type": overwrite("bot:run:{run}:posted", "x"),
    "the checkpoint state": lambda world, run: world.redis.hset("audit:posted", b"\xff", b"\xff"),
    "the audit log's head": lambda world, run: world.redis.hset("audit:head", mapping={"seq": "x"}),
    "an open run's name": lambda world, run: world.redis.sadd("bot:open", b"\xff"),
    "the inventory": overwrite("imker:inventory", "garbage"),
    "an inventory of numbers": overwrite("imker:inventory", "[1, 2]"),
    "a job": overwrite("rq:job:{run}-1", "x"),
    "a time beyond the limit": lambda world, run: world.forges(run, NodeTable("x", 1e300, ()), KEY),
    "an infinite time": lambda world, run: world.redis.xadd(
        version.events_key(run), streams.signed_entry(run, json.dumps(TIMELESS), KEY)  # type: ignore[arg-type]
    ),
}  # fmt: skip
TIMELESS = {
    "run": "x",
    "job": 1,
    "number": 9,
    "at": float("inf"),
    "body": {"type": "job_started"},
    "protocol_version": 2,
}


@pytest.mark.parametrize("sabotage", SABOTAGE.values(), ids=SABOTAGE)
def test_an_unreadable_value_affects_one_run_only(world: World, sabotage: Callable[[World, str], Any]) -> None:
    run = world.create_run("fleet")
    sabotage(world, run)
    others = [world.create_run("running"), world.create_run("warned")]
    for other in others:
        world.runs.posted_messages.delete(other)
    world.look()
    assert all(world.channel.posts[other] for other in others)


@pytest.mark.parametrize("command", ["status", "help", "pause", "migrate tondi", "accept j8xsy2yb"])
@pytest.mark.parametrize("sabotage", SABOTAGE.values(), ids=SABOTAGE)
def test_every_command_gets_a_reply_or_a_job_despite_unreadable_values(
    world: World, sabotage: Callable[[World, str], Any], command: str
) -> None:
    sabotage(world, world.create_run("pending"))
    bot = DeliveryReceiver(
        world.handler, Inbox(world.redis, KEY, lambda: world.timestamp.unix), world.channel, RateLimiter(1000)
    )  # type: ignore[arg-type]
    who = IDS["bob" if command.startswith("accept") else "alice"]
    before = set(world.redis.keys("rq:job:*"))
    bot.receive(Delivery("command", "trigger.9", who, OPS, command, "", world.timestamp.unix), lambda: None)  # type: ignore[arg-type]
    began = set(world.redis.keys("rq:job:*")) - before
    decided = world.decision_keys()
    assert world.channel.private or began or decided
    world.advance_clock(ABANDONED_AFTER + 1)
    bot.recover_abandoned()
    assert not world.redis.exists("bot:inbox"), "a delivery that fails once would fail again"
