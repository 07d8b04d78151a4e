"""Someone who can write to Redis, but has no key, can neither suppress nor redirect messages.

The real Reconciler runs against the lab's Slack. A message to another URL would reach a real server.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from redis import Redis
from structlog.testing import capture_logs

from bot.reconciler.audit_checkpoints import AuditCheckpoints, find_checkpoints
from bot.records import Decision
from bot.runs.store import RunStore
from imker.audit_log import AuditLog
from imker.hash_chain import AuditFact
from imker.protocol.events import DecisionRequested, JobStarted, ThreadDetail
from imker.protocol.values import Candidate, Quorum
from jobs.events.writer import EventWriter
from lab.slack.client import VisibleMessage
from lab.slack.server_process import run_fake_slack
from tests.support.streams import KEY
from tests.unit.bot.reconciler.test_slack_outage import ALICE, MINUTE, OPS, World

ELSEWHERE = "C99ELSEWHERE"
DAY = 24 * 3600.0
CANDIDATE = Candidate("kaditz", "j8xsy2yb802b5ys0uvwhsouw1", "198.18.0.39", "kaditz", "26.1.5")
PENDING = DecisionRequested("accept", "f00d", CANDIDATE, Quorum(2, 0, 3, 1), host="kaditz", valid_seconds=1800.0)


@pytest.fixture
def world(redis: Redis) -> Iterator[World]:
    with run_fake_slack() as workspace:
        yield World(workspace, redis)


@contextmanager
def victim() -> Iterator[tuple[str, list[str]]]:
    """An HTTP server inside the network, its URL, and the requests it gets."""
    requests: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            requests.append(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/internal?x=1", requests
    finally:
        server.shutdown()
        server.server_close()


def self_approved(world: World) -> str:
    """Start a run that its requester accepts, as `accept_own` allows, with a message and a running second job."""
    AuditLog(world.redis).append(AuditFact("1", "asked", ALICE))
    (run,) = world.start_runs(1)
    world.tell(run, PENDING)
    world.look()
    return run


def accepts(world: World, run: str) -> None:
    record = world.runs.record(run)
    assert record
    world.runs.decide(record, Decision(1, "accept", ALICE, world.now, "f00d"))
    EventWriter(world.redis, KEY, run, 2, world.clock).emit(JobStarted("kaditz"))


def broadcasts(world: World) -> list[VisibleMessage]:
    """Return the checkpoints and self-approval alerts of the channel."""
    return [
        message
        for message in world.workspace.visible_messages(ALICE, OPS)
        if message.raw.get("subtype") == "thread_broadcast" and message.text.startswith(("📒", "🚨"))
    ]


@pytest.mark.parametrize("mark", ["{} 1", "{} 1 tried"])
def test_forged_fields_suppress_neither_checkpoint_nor_alert(world: World, mark: str) -> None:
    run = self_approved(world)
    for what in ("head", "alarm"):
        world.redis.hset(f"bot:run:{run}:posted", mark.format(what), "1")
    accepts(world, run)
    world.look(MINUTE)
    texts = sorted(message.text for message in broadcasts(world))
    assert len(texts) == 2
    assert "--head" in texts[0]
    assert "Break-glass" in texts[1]


def test_fields_copied_from_another_run_suppress_nothing(world: World) -> None:
    run = self_approved(world)
    timestamp = world.redis.hget(f"bot:run:{run}:posted", "ts")
    for field in ("head 1", "alarm 1"):
        world.redis.hset(f"bot:run:{run}:posted", field, timestamp)  # type: ignore[arg-type]
    accepts(world, run)
    world.look(MINUTE)
    assert len(broadcasts(world)) == 2


@pytest.mark.parametrize("how", ["forged", "deleted"])
def test_a_forged_day_does_not_suppress_the_daily_checkpoint(world: World, how: str) -> None:
    """Deleting it has no effect either. In the end each day has one checkpoint."""
    now = [time.time()]
    audit = AuditLog(world.redis, clock=lambda: now[0])
    runs = RunStore(world.redis, lambda: now[0], KEY)

    def look() -> None:
        """As a reconciler does that has just been started."""
        AuditCheckpoints(world.client, audit, runs, OPS, lambda: now[0]).post_daily()

    audit.append(AuditFact("1", "asked", ALICE))
    look()
    for _ in range(2):
        now[0] += DAY
        if how == "forged":
            world.redis.hset("audit:posted", "day", time.strftime("%Y-%m-%d", time.gmtime(now[0])))
        else:
            world.redis.delete("audit:posted")
        for _again in range(3):
            look()
    assert len(find_checkpoints(world.client, OPS)) == 2
    assert (
        len(
            [
                message
                for message in world.workspace.visible_messages(ALICE, OPS)
                if "(UTC): the audit log has" in message.text
            ]
        )
        == 2
    )


def test_a_forged_channel_does_not_redirect_the_thread(world: World) -> None:
    (run,) = world.start_runs(1)
    world.look()
    world.redis.hset(f"bot:run:{run}:posted", "channel", ELSEWHERE)
    world.tell(run, ThreadDetail("apt on kaditz", "Get:1 docker.io"))
    world.look(MINUTE)
    channels = {call["arguments"]["channel"] for call in world.calls() if "channel" in call["arguments"]}
    assert channels == {OPS}
    assert [
        message.thread_ts for message in world.workspace.visible_messages(ALICE, OPS) if "apt on kaditz" in message.text
    ]


@pytest.mark.parametrize("is_known", [True, False], ids=["to this reconciler", "only in Redis"])
def test_a_forged_timestamp_neither_suppresses_nor_repeats_a_message(world: World, is_known: bool) -> None:
    """`is_known`: whether the reconciler has seen where the message is."""
    (run,) = world.start_runs(1)
    world.look()
    world.redis.hset(f"bot:run:{run}:posted", "ts", "1.000001")
    reconciler = world if is_known else World(world.workspace, world.redis)
    reconciler.now = world.now
    world.tell(run, ThreadDetail("apt on kaditz", "Get:1 docker.io"))
    reconciler.look(MINUTE)
    assert len(reconciler.posts(run)) == 1
    assert [
        message.thread_ts for message in world.workspace.visible_messages(ALICE, OPS) if "apt on kaditz" in message.text
    ]


@pytest.mark.parametrize("forged", ["{url}", "f00d {url}"])
def test_a_forged_response_url_is_never_posted_to(world: World, forged: str) -> None:
    with victim() as (url, requests):
        (run,) = world.start_runs(1)
        world.redis.set(f"bot:run:{run}:answer", forged.format(url=url))
        world.workspace.set_channel(OPS, app=False)
        world.look(MINUTE)
    assert world.runs.posted_messages.get(run).get("privately") == "first", "the notice was sent"
    assert requests == []


def test_logs_a_forged_field_once(world: World) -> None:
    (run,) = world.start_runs(1)
    world.look()
    world.redis.hset(f"bot:run:{run}:posted", "channel", ELSEWHERE)
    with capture_logs() as logs:
        world.look(10.0)
    assert [line["place"] for line in logs if line["log_level"] == "warning"] == [f"bot:run:{run}:posted channel"]
