"""While Slack rejects calls or is down, runs continue, calls are retried, and the final state is published once.

The real Reconciler runs against the lab's Slack. The test sets the clock, so hours pass at once.
"""

import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from redis import Redis
from rq.job import Job
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry import RetryHandler
from slack_sdk.web import SlackResponse
from slack_sdk.webhook import WebhookClient

from bot.reconciler.__main__ import TICK_SECONDS
from bot.reconciler.alerts import Alerts
from bot.reconciler.audit_checkpoints import AuditCheckpoints
from bot.reconciler.backoff import MAX_DELAY, Backoff
from bot.reconciler.loop import Reconciler
from bot.reconciler.orphaned_messages import OrphanedMessages
from bot.reconciler.publisher import Publisher
from bot.records import RunRecord
from bot.runs.store import RunStore
from bot.settings import File
from bot.slack.history import PAGE_SIZE
from imker.audit_log import AuditLog
from imker.protocol.commands import Migrate
from imker.protocol.events import EventBody, JobFinished, JobStarted, Planned, StepDone, StepStarted, ThreadDetail
from imker.protocol.run_id import run_id
from imker.protocol.values import StepLine
from jobs.events.writer import EventWriter
from lab.slack.client import VisibleMessage, Workspace
from lab.slack.server_process import run_fake_slack
from tests.support.bot_harness import settings_of
from tests.support.streams import KEY

ALICE, OPS = "U01ALICE", "C01OPS"
LONG, MINUTE = 1200.0, 60.0  # seconds
STEPS = tuple(StepLine(f"Step{n}", f"step {n}") for n in range(20))
DONE = JobFinished("done", "kaditz is in the swarm")


class World:
    def __init__(self, workspace: Workspace, redis: Redis, past_runs: tuple[str, ...] = ()) -> None:
        self.workspace, self.redis, self.now = workspace, redis, 1_795_440_000.0
        self.client = WebClient(token="xoxb-lab", base_url=f"{workspace.url}/api/", retry_handlers=list[RetryHandler]())
        self.runs = RunStore(redis, self.clock, KEY)
        self.journals: dict[str, EventWriter] = {}
        self.private: list[str] = []  # private notices to the requester
        witness = AuditCheckpoints(self.client, AuditLog(redis), self.runs, OPS, self.clock)
        patience = Backoff(self.clock)
        messages, looks = (
            Publisher(self.runs, self.client, self.clock),
            OrphanedMessages(self.client, self.runs, past_runs, self.clock),
        )
        alerts = Alerts(settings_of(File(), notify="channel"), self.client, self.runs, lambda channel, user: True)
        self.reconciler = Reconciler(self.runs, messages, witness, looks, alerts, self.clock, patience)

    def clock(self) -> float:
        return self.now

    def start_runs(self, number: int) -> list[str]:
        records = [
            RunRecord(
                run_id(uuid.uuid4().hex),
                Migrate("kaditz"),
                "migrate kaditz",
                ALICE,
                OPS,
                self.now,
                allowed_hosts=("kaditz",),
            )
            for _ in range(number)
        ]
        for record in records:
            self.runs.start(record, "https://hooks.slack.com/answer")
            self.tell(record.run, JobStarted("kaditz"), Planned(STEPS))
        return [record.run for record in records]

    def tell(self, run: str, *bodies: EventBody) -> None:
        journal = self.journals.setdefault(run, EventWriter(self.redis, KEY, run, 1, self.clock))
        for body in bodies:
            journal.emit(body)

    def look(self, seconds: float = 0.0, then: Callable[[], None] = lambda: None) -> None:
        """A look every few seconds for so long; `then` after each."""
        apart = TICK_SECONDS if seconds < LONG else 4 * TICK_SECONDS
        for _ in range(max(1, int(seconds / apart))):
            self.reconciler.reconcile_all()
            then()
            self.now += apart

    def calls(self, *methods: str) -> list[dict[str, Any]]:
        return [call for call in self.workspace.calls() if not methods or call["method"] in methods]

    def posts(self, run: str) -> list[VisibleMessage]:
        messages = self.workspace.visible_messages(ALICE, OPS)
        return [message for message in messages if f"run `{run}`" in message.plain_text and not message.ephemeral]


@pytest.fixture(scope="module")
def workspace() -> Iterator[Workspace]:
    with run_fake_slack() as workspace:
        yield workspace


@pytest.fixture
def world(workspace: Workspace, redis: Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    world = World(workspace, redis)

    def send(self: WebhookClient, *, text: str, response_type: str) -> None:
        world.private.append(text)

    monkeypatch.setattr(WebhookClient, "send", send)
    yield world
    workspace.clear_faults()
    workspace.set_channel(OPS)


def steps(world: World, runs: list[str]) -> Callable[[], None]:
    """Emit one more step of each run before each pass, as long as there are any."""
    remaining_bodies = [body for step in STEPS for body in (StepStarted(step.key), StepDone(step.key))]

    def further() -> None:
        if remaining_bodies:
            body = remaining_bodies.pop(0)
            for run in runs:
                world.tell(run, body)

    return further


@pytest.mark.parametrize(
    ("kind", "seconds", "most"),
    [
        ("away", 1.0, 3 * (LONG / MAX_DELAY + 6)),
        ("server_error", 1.0, 3 * (LONG / MAX_DELAY + 6)),
        ("ratelimited", 30.0, LONG / 30),
    ],
)
def test_publishes_only_the_final_state_after_a_long_outage(
    world: World, kind: str, seconds: float, most: float
) -> None:
    runs = world.start_runs(3)
    world.look()
    before = len(world.calls())
    world.workspace.set_fault(kind, times=-1, seconds=seconds)
    world.look(LONG, steps(world, runs))
    for run in runs:
        world.tell(run, DONE)
    world.look(3 * MAX_DELAY)
    during = len(world.calls())
    assert during - before <= most + 8, "not every pass calls Slack"
    world.workspace.clear_faults()
    world.look(2 * MAX_DELAY)
    methods = [call["method"] for call in world.calls()[during:]]
    assert methods == ["chat.update", "chat.postMessage"] * 3, "the final state, and the alert that a long run ended"
    for run in runs:
        (post,) = world.posts(run)
        assert DONE.summary in post.plain_text
    assert world.runs.open_runs() == []


def test_posts_once_after_the_first_post_failed_for_long(world: World) -> None:
    world.workspace.set_fault("server_error", method="chat.postMessage", times=-1)
    (run,) = world.start_runs(1)
    world.look(10 * MINUTE)
    world.workspace.clear_faults()
    world.look(2 * MAX_DELAY)
    assert len(world.posts(run)) == 1


def test_finds_a_post_whose_reply_was_lost_in_a_busy_channel(redis: Redis) -> None:
    """There are more newer messages than one page of history holds."""
    with run_fake_slack() as workspace:
        world = World(workspace, redis)
        world.now = time.time()
        workspace.set_fault("drop_reply", method="chat.postMessage")
        (run,) = world.start_runs(1)
        world.look()
        for number in range(PAGE_SIZE + 1):
            world.client.chat_postMessage(channel=OPS, text=f"lunch? {number}")
        world.look(2 * MAX_DELAY)
        (post,) = world.posts(run)
        assert world.runs.posted_messages.get(run)["ts"] == post.ts


def test_runs_continue_while_slack_is_down(world: World) -> None:
    """A recorded run without a job is enqueued, whatever Slack does."""
    world.workspace.set_fault("away", times=-1)
    (run,) = world.start_runs(1)
    world.look()
    world.redis.delete(f"rq:job:{run}-1", f"run:{run}:events")
    world.look(10.0)
    assert Job.exists(f"{run}-1", world.redis)


def refusing(world: World, monkeypatch: pytest.MonkeyPatch, method: str, error: str, words: str = "") -> None:
    """Slack rejects calls of this method that contain this text."""
    real = getattr(world.client, method)

    def call(**arguments: Any) -> Any:
        if words in str(arguments):
            raise SlackApiError("no", SlackResponse(client=None, http_verb="", api_url="", req_args={}, headers={},
                                                     data={"ok": False, "error": error}, status_code=200))  # fmt: skip
        return real(**arguments)

    monkeypatch.setattr(world.client, method, call)


@pytest.mark.parametrize("error", ["invalid_blocks", "msg_blocks_too_long", "msg_too_long"])
def test_sends_the_text_alone_if_slack_rejects_the_blocks(
    world: World, monkeypatch: pytest.MonkeyPatch, error: str
) -> None:
    for method in ("chat_postMessage", "chat_update"):
        refusing(world, monkeypatch, method, error, words="'type': 'section'")
    before = len(world.workspace.visible_messages(ALICE, OPS))
    (run,) = world.start_runs(1)
    world.look()
    world.tell(run, ThreadDetail("apt", "nothing <new>"), DONE)
    world.look(MINUTE)
    message, reply = world.workspace.visible_messages(ALICE, OPS)[before:]
    assert DONE.summary in message.text
    assert (message.plain_text, reply.thread_ts) == ("", message.ts)
    assert "nothing &lt;new&gt;" in reply.text
    assert world.runs.open_runs() == []


def test_posts_again_a_message_that_can_no_longer_be_edited(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    (run,) = world.start_runs(1)
    world.look()
    refusing(world, monkeypatch, "chat_update", "edit_window_closed")
    world.look(MINUTE, steps(world, [run]))
    assert len(world.posts(run)) == 1
    world.tell(run, DONE)
    world.look(MINUTE)
    first, last = world.posts(run)
    assert (DONE.summary in first.plain_text, DONE.summary in last.plain_text) == (False, True)
    assert world.runs.open_runs() == []


def test_does_not_look_up_a_post_that_slack_surely_rejected(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    before = len(world.calls("conversations.history"))
    (run,) = world.start_runs(1)
    with monkeypatch.context() as meanwhile:
        refusing(world, meanwhile, "chat_postMessage", "not_in_channel")
        world.look(10 * MINUTE)
    assert len(world.calls("conversations.history")) == before
    world.look(5 * MINUTE)
    assert len(world.posts(run)) == 1


SHUT: dict[str, dict[str, bool]] = {
    "archived": {"archived": True, "app": True},
    "removed": {"archived": False, "app": False},
}


@pytest.mark.parametrize("how", SHUT)
@pytest.mark.parametrize("when", ["the first post", "a detail", "the end"])
def test_notifies_the_requester_if_the_channel_takes_no_messages(world: World, how: str, when: str) -> None:
    (run,) = world.start_runs(1)
    if when != "the first post":
        world.look()
    if when == "a detail":
        world.tell(run, ThreadDetail("apt", "nothing new"))
    world.workspace.set_channel(OPS, **SHUT[how])
    before = len(world.calls())
    if when != "the end":
        world.look(LONG)
        (message,) = world.private
        assert "I can't post in this channel" in message
    world.tell(run, DONE)
    world.look(10 * MINUTE)
    assert sum(DONE.summary in message for message in world.private) == 1
    assert len(world.private) <= 2
    assert world.runs.open_runs() == [], "the run is closed"
    assert len(world.calls()) - before <= 2 * (LONG + 10 * MINUTE) / 300
    snapshot = world.runs.snapshot(run)
    assert snapshot
    assert snapshot.log.events[-1].body == DONE, "the outcome is stored"


@pytest.mark.parametrize("how", SHUT)
def test_updates_the_message_when_the_channel_takes_messages_again(world: World, how: str) -> None:
    (run,) = world.start_runs(1)
    world.look()
    world.workspace.set_channel(OPS, **SHUT[how])
    world.tell(run, StepStarted("Step0"))
    world.look(MINUTE)
    world.workspace.set_channel(OPS)
    world.look(5 * MINUTE)
    (post,) = world.posts(run)
    assert "[in_progress] step 0" in post.plain_text


def test_finds_a_post_although_the_clock_is_almost_an_hour_ahead(world: World) -> None:
    world.now = time.time() + 3500
    (run,) = world.start_runs(1)
    world.workspace.set_fault("drop_reply", method="chat.postMessage")
    world.look(10)
    assert len(world.posts(run)) == 1


@pytest.mark.parametrize("details", [0, 2])
def test_posts_again_a_deleted_message_with_its_thread(world: World, details: int) -> None:
    (run,) = world.start_runs(1)
    world.tell(run, ThreadDetail("before", "x"))
    world.look()
    world.workspace.delete_message(world.posts(run)[0])
    world.tell(run, *[ThreadDetail(f"after {n}", "x") for n in range(details)], DONE)
    world.look(MINUTE)
    (post,) = world.posts(run)
    thread = [
        message.plain_text for message in world.workspace.visible_messages(ALICE, OPS) if message.thread_ts == post.ts
    ]
    assert len(thread) == 1 + details
    assert DONE.summary in post.plain_text
    assert world.runs.open_runs() == []


@pytest.mark.parametrize("clock", [3600.0, -3600.0])
def test_enqueues_a_missing_job_although_the_clock_was_set(world: World, clock: float) -> None:
    """A recorded run without a job is enqueued, whatever the clock says."""
    (run,) = world.start_runs(1)
    world.redis.delete(f"rq:job:{run}-1", f"run:{run}:events")
    world.now += clock
    world.look(10.0)
    assert Job.exists(f"{run}-1", world.redis)


def test_publishes_once_that_redis_lost_a_run(world: World) -> None:
    visible_runs, unposted = world.start_runs(2)
    world.look()
    world.workspace.set_fault("server_error", method="chat.update")
    world.redis.flushall()
    before = len(world.calls())
    world.look(MINUTE)
    for run in (visible_runs, unposted):
        (post,) = world.posts(run)
        assert "Redis lost its data" in post.plain_text
        assert "/swarm migrate kaditz" in post.plain_text
    assert len(world.calls()) - before <= 3


def test_a_new_reconciler_marks_the_messages_of_lost_runs_once(redis: Redis) -> None:
    with run_fake_slack() as workspace:
        before = World(workspace, redis)
        before.now = time.time()
        going, over = before.start_runs(2)
        before.tell(over, DONE)
        before.look()
        redis.flushall()
        world_after = World(workspace, redis)
        world_after.now = before.now
        (fresh,) = world_after.start_runs(1)
        for _ in range(2):
            after = World(workspace, redis, (OPS,))
            after.now = world_after.now
            after.look(MINUTE)
        (lost,) = after.posts(going)
        assert "Redis lost its data" in lost.plain_text
        assert "/swarm migrate kaditz" in lost.plain_text
        assert DONE.summary in after.posts(over)[0].plain_text
        assert "Redis lost its data" not in after.posts(fresh)[0].plain_text
        edits = [call for call in after.calls("chat.update") if call["arguments"]["ts"] == lost.ts]
        assert len(edits) == 1


@pytest.mark.parametrize("place", ["fleet_state", "snapshot"])
def test_posts_no_second_message_when_redis_is_wiped_during_a_pass(
    world: World, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis is wiped after the run was read and before its posted fields are."""
    (run,) = world.start_runs(1)
    world.look()
    original = getattr(world.runs, place)

    def wiped(*about: object) -> object:
        answer = original(*about)
        world.redis.flushall()
        return answer

    with monkeypatch.context() as once:
        once.setattr(world.runs, place, wiped)
        world.look()
    world.look(MINUTE)
    (post,) = world.posts(run)
    assert "Redis lost its data" in post.plain_text
