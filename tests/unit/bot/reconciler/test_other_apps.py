"""Messages of others in the channel that bear Imker's own metadata are not Imker's."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis

from lab.slack.client import Workspace
from lab.slack.server_process import run_fake_slack
from tests.unit.bot.reconciler.test_slack_outage import ALICE, MINUTE, OPS, World

GOING = {"run": "zzzzzzzz", "text": "migrate kaditz", "asker": ALICE, "over": "no"}
PAYLOADS: list[Any] = [GOING, {"run": ["x"], "over": "no"}, {"over": "no"}, {}, "x", None, 7]


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    with run_fake_slack() as workspace:
        yield workspace


def says(workspace: Workspace, payload: Any) -> None:
    workspace.say(ALICE, OPS, "hello", metadata={"event_type": "imker_run", "event_payload": payload})


def test_another_apps_metadata_stops_no_search_after_a_wipe(workspace: Workspace, redis: Redis) -> None:
    before = World(workspace, redis)
    before.now = time.time()
    (going,) = before.start_runs(1)
    before.look()
    for payload in PAYLOADS:
        says(workspace, payload)
    redis.flushall()
    after = World(workspace, redis, (OPS,))
    after.now = before.now
    after.look(MINUTE)
    (lost,) = after.posts(going)
    assert "Redis lost its data" in lost.plain_text
    assert {call["arguments"]["ts"] for call in after.calls("chat.update")} == {lost.ts}


def test_one_message_that_slack_does_not_let_be_edited_hides_no_other(workspace: Workspace, redis: Redis) -> None:
    before = World(workspace, redis)
    before.now = time.time()
    for _ in range(2):
        before.start_runs(1)
        before.look()
    runs = before.runs.open_runs()
    newest = max((before.posts(run)[0] for run in runs), key=lambda seen: seen.ts)
    redis.flushall()
    after = World(workspace, redis, (OPS,))
    after.now = before.now
    edit = after.client.chat_update

    def refused(**said: Any) -> Any:
        return edit(**{**said, "ts": "1.000001"} if said["ts"] == newest.ts else said)

    after.client.chat_update = refused  # type: ignore[method-assign]
    after.look(MINUTE)
    told = ["Redis lost its data" in after.posts(run)[0].plain_text for run in runs]
    assert sorted(told) == [False, True]


def test_another_apps_message_is_not_taken_for_the_runs_own(workspace: Workspace, redis: Redis) -> None:
    """A post whose reply was lost is looked up by its run."""
    world = World(workspace, redis)
    world.now = time.time()
    (run,) = world.start_runs(1)
    workspace.set_fault("drop_reply", method="chat.postMessage")
    world.look()
    says(workspace, {**GOING, "run": run})
    world.look(MINUTE)
    (post,) = world.posts(run)
    assert world.runs.posted_messages.get(run)["ts"] == post.ts
