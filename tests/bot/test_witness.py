"""The record's head in the channel: once a day, whatever gets lost; and what it is good for."""

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

from bot.progress import RunView
from bot.record import RunRecord
from bot.runs import Runs
from bot.witness import Witness, heads_in
from imker.audit import Audit
from imker.chain import Fact, verify
from imker.signing import Key
from jobs.contract import Accept
from lab.slack.client import Workspace
from lab.slack.running import running

CAUGHT = (SlackClientError, OSError, HTTPException)  # by the reporter, which looks again
OPS, ALICE = "C01OPS", "U01ALICE"
DAY = 24 * 3600.0
NOON = 1795435200.0  # of 2026-11-23


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    with running() as slack:
        yield slack


class World:
    def __init__(self, workspace: Workspace, redis: Redis) -> None:
        self.now, self.workspace = NOON, workspace
        self.client = WebClient(token="xoxb-lab", base_url=f"{workspace.url}/api/", retry_handlers=list[RetryHandler]())
        self.audit = Audit(redis, clock=lambda: self.now)
        self.runs = Runs(redis, lambda: self.now, Key("x" * 64))
        self.audit.append(Fact("1", "asked", ALICE))
        self.before = {message.ts for message in workspace.sees(ALICE, OPS)}

    def look(self) -> None:
        """As a reporter does that has just been started."""
        Witness(self.client, self.audit, self.runs, OPS, lambda: self.now).daily()

    def posted(self) -> list[str]:
        return [message.text for message in self.workspace.sees(ALICE, OPS) if message.ts not in self.before]


@pytest.fixture
def world(workspace: Workspace, redis: Redis) -> World:
    return World(workspace, redis)


def test_a_day_that_is_over_is_told_once(world: World) -> None:
    for hours in (0, 1, 11, 13, 14, 30, 37, 38):
        world.now = NOON + hours * 3600
        world.look()
    told = world.posted()
    assert [text.split(" had ")[0] for text in told] == [
        "📒 At the end of 2026-11-23 the record",
        "📒 At the end of 2026-11-24 the record",
    ]
    head = world.audit.head()
    assert head
    assert f"--head {head.hash}:1`" in told[0]


def test_an_empty_record_has_nothing_to_tell(workspace: Workspace, redis: Redis) -> None:
    world = World(workspace, redis)
    redis.delete("audit", "audit:head")
    for day in range(3):
        world.now = NOON + day * DAY
        world.look()
    assert world.posted() == []


@pytest.mark.parametrize("fault", ["drop_reply", "server_error"])
def test_a_lost_reply_is_not_posted_again_and_a_refused_one_is(world: World, fault: str) -> None:
    world.look()
    world.now += DAY
    world.workspace.fault(fault, method="chat.postMessage")
    with pytest.raises(CAUGHT):
        world.look()
    for _ in range(3):
        world.look()
    assert len(world.posted()) == 1


@pytest.mark.parametrize("fault", ["drop_reply", "server_error"])
def test_after_an_acceptance_the_thread_is_told_once(world: World, fault: str) -> None:
    record = RunRecord("k3fm9x2q", Accept("j8xsy2yb"), "accept j8xsy2yb", ALICE, OPS, NOON)
    ts = world.client.chat_postMessage(channel=OPS, text="the run's message")["ts"]
    world.runs.posted.remember(record.run, ts=ts, channel=OPS)
    witness, view = (
        Witness(world.client, world.audit, world.runs, OPS, lambda: world.now),
        RunView(record, "over", NOON),
    )
    world.workspace.fault(fault, method="chat.postMessage")
    with pytest.raises(CAUGHT):
        witness.accepted(view, world.runs.posted.of(record.run))
    for _ in range(3):
        witness.accepted(view, world.runs.posted.of(record.run))
    assert len([seen for seen in world.workspace.sees(ALICE, OPS) if seen.thread == ts]) == 1


def test_a_channel_that_cannot_be_written_to_is_tried_again_later(world: World) -> None:
    world.look()
    world.now += DAY
    world.workspace.fault("away", method="chat.postMessage", times=3)
    for _ in range(3):
        with pytest.raises(CAUGHT):
            world.look()
    world.look()
    assert len(world.posted()) == 1


def test_who_rewrites_what_came_after_the_last_day_is_found_by_the_thread_of_an_acceptance(world: World) -> None:
    record = RunRecord("k3fm9x2q", Accept("j8xsy2yb"), "accept j8xsy2yb", ALICE, OPS, NOON)
    ts = world.client.chat_postMessage(channel=OPS, text="the run's message")["ts"]
    world.runs.posted.remember(record.run, ts=ts, channel=OPS)
    witness = Witness(world.client, world.audit, world.runs, OPS, lambda: world.now)
    witness.accepted(RunView(record, "over", NOON), world.runs.posted.of(record.run))
    world.client.chat_postMessage(channel=OPS, text="said by the way", thread_ts=ts)
    assert heads_in(world.client, OPS) == [replace(world.audit.head(), where="the channel")]


def test_who_rewrites_all_of_redis_is_found_by_what_the_channel_has_read(world: World, redis: Redis) -> None:
    world.look()
    world.now += DAY
    world.look()
    story = [entry.fact for entry in world.audit.entries() if entry]
    redis.delete("audit", "audit:head", *redis.keys("audit:id:*"))
    for fact in story:
        world.audit.append(replace(fact, who="U09EVE"))
    own = world.audit.head()
    assert own
    assert verify(world.audit.entries(), [own]) == (), "by itself it looks whole"
    problems = verify(world.audit.entries(), heads_in(world.client, OPS)[:1])
    assert "entry 1 is not the one that the channel at the end of 2026-11-23 tells of" in problems[0].text


def test_only_what_the_bot_itself_posted_counts_on_every_page() -> None:
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
    assert [head.seq for head in heads_in(client, OPS)] == [3, 1]
