"""Checkpoints of the audit log are posted once, whatever is lost, and show that the log was rewritten."""

from collections.abc import Iterator
from dataclasses import replace
from http.client import HTTPException
from types import SimpleNamespace
from typing import Any

import pytest
from redis import Redis
from slack_sdk import WebClient
from slack_sdk.errors import SlackClientError
from slack_sdk.http_retry import RetryHandler

from bot.reconciler.audit_checkpoints import AuditCheckpoints, find_checkpoints
from bot.records import Decision, RunRecord
from bot.runs.store import RunStore
from bot.state.run_state import RunState, RunStatus
from imker.audit_log import AuditLog
from imker.hash_chain import AuditFact, verify
from imker.protocol.commands import Migrate
from imker.signing import SigningKey
from lab.slack.client import Workspace
from lab.slack.server_process import run_fake_slack

CAUGHT = (SlackClientError, OSError, HTTPException)  # the reconciler catches these and tries again
OPS, ALICE, BOB = "C01OPS", "U01ALICE", "U02BOB"
DAY = 24 * 3600.0
NOON = 1795435200.0  # of 2026-11-23


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    with run_fake_slack() as slack:
        yield slack


class World:
    def __init__(self, workspace: Workspace, redis: Redis) -> None:
        self.now, self.workspace = NOON, workspace
        self.client = WebClient(token="xoxb-lab", base_url=f"{workspace.url}/api/", retry_handlers=list[RetryHandler]())
        self.audit = AuditLog(redis, clock=lambda: self.now)
        self.runs = RunStore(redis, lambda: self.now, SigningKey("x" * 64))
        self.audit.append(AuditFact("1", "asked", ALICE))
        self.before = {message.ts for message in workspace.visible_messages(ALICE, OPS)}

    def look(self) -> None:
        """As a reconciler does that has just been started."""
        AuditCheckpoints(self.client, self.audit, self.runs, OPS, lambda: self.now).post_daily()

    def message(self) -> str:
        """The run's, and its ts."""
        ts = str(self.client.chat_postMessage(channel=OPS, text="the run's message")["ts"])
        self.runs.posted_messages.update("k3fm9x2q", ts=ts, channel=OPS)
        return ts

    def tells(self, view: RunState) -> None:
        witness = AuditCheckpoints(self.client, self.audit, self.runs, OPS, lambda: self.now)
        witness.post_for_approvals(view, self.runs.posted_messages.get(view.record.run))

    def checkpoint_posts(self) -> list[str]:
        return [
            message.text for message in self.workspace.visible_messages(ALICE, OPS) if message.ts not in self.before
        ]


@pytest.fixture
def world(workspace: Workspace, redis: Redis) -> World:
    return World(workspace, redis)


def test_posts_one_checkpoint_for_each_day(world: World) -> None:
    for hours in (0, 1, 11, 13, 14, 30, 37, 38):
        world.now = NOON + hours * 3600
        world.look()
    posts = world.checkpoint_posts()
    assert [text.split(" has ")[0] for text in posts] == [
        "📒 End of 2026-11-23 (UTC): the audit log",
        "📒 End of 2026-11-24 (UTC): the audit log",
    ]
    head = world.audit.head()
    assert head
    assert f"--head {head.hash}:1`" in posts[0]


def test_posts_no_checkpoint_of_an_empty_audit_log(workspace: Workspace, redis: Redis) -> None:
    world = World(workspace, redis)
    redis.delete("audit", "audit:head")
    for day in range(3):
        world.now = NOON + day * DAY
        world.look()
    assert world.checkpoint_posts() == []


@pytest.mark.parametrize("fault", ["drop_reply", "server_error"])
def test_posts_once_after_a_lost_reply_or_a_server_error(world: World, fault: str) -> None:
    world.look()
    world.now += DAY
    world.workspace.set_fault(fault, method="chat.postMessage")
    with pytest.raises(CAUGHT):
        world.look()
    for _ in range(3):
        world.look()
    assert len(world.checkpoint_posts()) == 1


def approved_run(by: str = BOB, *, vote: bool = False, state: RunStatus = "running") -> RunState:
    """Return a run that was accepted, or that has the first of two approvals."""
    decisions = (Decision(1, "accept", by, NOON),)
    record = RunRecord("k3fm9x2q", Migrate("kaditz"), "migrate kaditz", ALICE, OPS, NOON, job_count=1 if vote else 2)
    record = replace(record, **{"partial_approvals" if vote else "decisions": decisions})
    return RunState(record, state, NOON, decisions=record.decisions)


@pytest.mark.parametrize("fault", ["drop_reply", "server_error"])
def test_posts_one_checkpoint_for_an_acceptance_in_thread_and_channel(world: World, fault: str) -> None:
    ts = world.message()
    world.workspace.set_fault(fault, method="chat.postMessage")
    with pytest.raises(CAUGHT):
        world.tells(approved_run())
    for _ in range(3):
        world.tells(approved_run())
    (posts,) = [message for message in world.workspace.visible_messages(ALICE, OPS) if message.thread_ts == ts]
    assert "--head" in posts.text
    assert posts.raw["subtype"] == "thread_broadcast", "it is in the channel, too"


def test_posts_no_checkpoint_before_the_decision_is_recorded(world: World) -> None:
    world.message()
    for view in (approved_run(state="queued"), approved_run(vote=True, state="waiting")):
        world.tells(view)
    assert len(world.checkpoint_posts()) == 1


@pytest.mark.parametrize("fault", ["drop_reply", "server_error"])
@pytest.mark.parametrize(
    "view",
    [approved_run(ALICE, state="queued"), approved_run(ALICE, vote=True, state="waiting")],
    ids=["decision", "vote"],
)
def test_posts_a_self_approval_alert_once(world: World, view: RunState, fault: str) -> None:
    ts = world.message()
    world.workspace.set_fault(fault, method="chat.postMessage")
    with pytest.raises(CAUGHT):
        world.tells(view)
    for _ in range(3):
        world.tells(view)
    (reply,) = [message for message in world.workspace.visible_messages(BOB, OPS) if message.thread_ts == ts]
    assert reply.text.startswith("🚨 *Break-glass*: <@U01ALICE> accepted")
    assert reply.raw["subtype"] == "thread_broadcast"
    assert find_checkpoints(world.client, OPS) == [], "it is not a checkpoint"


def test_retries_a_channel_that_cannot_be_written(world: World) -> None:
    world.look()
    world.now += DAY
    world.workspace.set_fault("away", method="chat.postMessage", times=3)
    for _ in range(3):
        with pytest.raises(CAUGHT):
            world.look()
    world.look()
    assert len(world.checkpoint_posts()) == 1


def test_finds_the_checkpoint_of_an_acceptance(world: World) -> None:
    ts = world.message()
    world.tells(approved_run())
    world.client.chat_postMessage(channel=OPS, text="said by the way", thread_ts=ts)
    assert find_checkpoints(world.client, OPS) == [replace(world.audit.head(), source="the channel")]


def test_a_rewritten_audit_log_does_not_match_the_checkpoints(world: World, redis: Redis) -> None:
    world.look()
    world.now += DAY
    world.look()
    story = [entry.fact for entry in world.audit.entries() if entry]
    redis.delete("audit", "audit:head", *redis.keys("audit:id:*"))
    for fact in story:
        world.audit.append(replace(fact, user="U09EVE"))
    head = world.audit.head()
    assert head
    assert verify(world.audit.entries(), [head]) == (), "on its own it looks intact"
    problems = verify(world.audit.entries(), find_checkpoints(world.client, OPS)[:1])
    assert "entry 1 differs from the channel after 2026-11-23" in problems[0].text


def test_finds_only_the_bots_own_checkpoints_on_every_page() -> None:
    def message(user: str, seq: str, kind: str = "imker_head") -> dict[str, Any]:
        payload = {"seq": seq, "hash": seq * 64, "day": "2026-11-23"}
        return {"user": user, "metadata": {"event_type": kind, "event_payload": payload}}

    pages = {
        None: ([message("U00IMKER", "3"), message("U09EVE", "9"), {"user": "U00IMKER"}], "more"),
        "more": ([message("U00IMKER", "x"), message("U00IMKER", "1"), message("U00IMKER", "2", "imker_run")], ""),
    }

    def history(cursor: str | None, **_: object) -> dict[str, Any]:
        messages, following = pages[cursor]
        return {"messages": messages, "response_metadata": {"next_cursor": following}}

    client: Any = SimpleNamespace(auth_test=lambda: {"user_id": "U00IMKER"}, conversations_history=history)
    assert [head.seq for head in find_checkpoints(client, OPS)] == [3, 1]
