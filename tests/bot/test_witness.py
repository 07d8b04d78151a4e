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

from bot.progress import RunView, State
from bot.record import Decision, RunRecord
from bot.runs import Runs
from bot.witness import Witness, heads_in
from imker.audit import Audit
from imker.chain import Fact, verify
from imker.signing import Key
from jobs.contract import Migrate
from lab.slack.client import Workspace
from lab.slack.running import running

CAUGHT = (SlackClientError, OSError, HTTPException)  # by the reporter, which looks again
OPS, ALICE, BOB = "C01OPS", "U01ALICE", "U02BOB"
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

    def message(self) -> str:
        """The run's, and its ts."""
        ts = str(self.client.chat_postMessage(channel=OPS, text="the run's message")["ts"])
        self.runs.posted.remember("k3fm9x2q", ts=ts, channel=OPS)
        return ts

    def tells(self, view: RunView) -> None:
        witness = Witness(self.client, self.audit, self.runs, OPS, lambda: self.now)
        witness.accepted(view, self.runs.posted.of(view.record.run))

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
    assert [text.split(" has ")[0] for text in told] == [
        "📒 2026-11-23 (UTC) is over. The record now",
        "📒 2026-11-24 (UTC) is over. The record now",
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


def accepted(by: str = BOB, *, vote: bool = False, state: State = "running") -> RunView:
    """A run that was accepted, or has the first of two yeses."""
    made = (Decision(1, "accept", by, NOON),)
    record = RunRecord("k3fm9x2q", Migrate("kaditz"), "migrate kaditz", ALICE, OPS, NOON, jobs=1 if vote else 2)
    record = replace(record, **{"votes" if vote else "decisions": made})
    return RunView(record, state, NOON, decisions=record.decisions)


@pytest.mark.parametrize("fault", ["drop_reply", "server_error"])
def test_at_an_acceptance_thread_and_channel_are_told_once(world: World, fault: str) -> None:
    ts = world.message()
    world.workspace.fault(fault, method="chat.postMessage")
    with pytest.raises(CAUGHT):
        world.tells(accepted())
    for _ in range(3):
        world.tells(accepted())
    (told,) = [seen for seen in world.workspace.sees(ALICE, OPS) if seen.thread == ts]
    assert "--head" in told.text
    assert told.raw["subtype"] == "thread_broadcast", "it is in the channel as well"


def test_no_head_is_told_before_the_record_has_the_decision(world: World) -> None:
    world.message()
    for view in (accepted(state="queued"), accepted(vote=True, state="waiting")):
        world.tells(view)
    assert len(world.posted()) == 1


@pytest.mark.parametrize("fault", ["drop_reply", "server_error"])
@pytest.mark.parametrize(
    "view", [accepted(ALICE, state="queued"), accepted(ALICE, vote=True, state="waiting")], ids=["decision", "vote"]
)
def test_break_glass_is_a_message_of_its_own_in_the_channel_once(world: World, view: RunView, fault: str) -> None:
    ts = world.message()
    world.workspace.fault(fault, method="chat.postMessage")
    with pytest.raises(CAUGHT):
        world.tells(view)
    for _ in range(3):
        world.tells(view)
    (told,) = [seen for seen in world.workspace.sees(BOB, OPS) if seen.thread == ts]
    assert told.text.startswith("🚨 *Break-glass*: <@U01ALICE> accepted")
    assert told.raw["subtype"] == "thread_broadcast"
    assert heads_in(world.client, OPS) == [], "it is no head"


def test_a_channel_that_cannot_be_written_to_is_tried_again_later(world: World) -> None:
    world.look()
    world.now += DAY
    world.workspace.fault("away", method="chat.postMessage", times=3)
    for _ in range(3):
        with pytest.raises(CAUGHT):
            world.look()
    world.look()
    assert len(world.posted()) == 1


def test_who_rewrites_what_came_after_the_last_day_is_found_by_an_acceptance(world: World) -> None:
    ts = world.message()
    world.tells(accepted())
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
    assert "entry 1 is not the one that the channel after 2026-11-23 tells of" in problems[0].text


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
