"""Messages of other apps with Imker's metadata are not treated as Imker's messages."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis

from lab.slack.client import Workspace
from lab.slack.server_process import run_fake_slack
from tests.unit.bot.reconciler.test_slack_outage import ALICE, MINUTE, OPS, World

OPEN_RUN = {"run": "zzzzzzzz", "text": "migrate kaditz", "asker": ALICE, "over": "no"}
PAYLOADS: list[Any] = [OPEN_RUN, {"run": ["x"], "over": "no"}, {"over": "no"}, {}, "x", None, 7]


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    with run_fake_slack() as workspace:
        yield workspace


def post_metadata(workspace: Workspace, payload: Any) -> None:
    workspace.say(ALICE, OPS, "hello", metadata={"event_type": "imker_run", "event_payload": payload})


def test_ignores_metadata_of_other_apps_after_redis_was_wiped(workspace: Workspace, redis: Redis) -> None:
    before = World(workspace, redis)
    before.now = time.time()
    (run,) = before.start_runs(1)
    before.look()
    for payload in PAYLOADS:
        post_metadata(workspace, payload)
    redis.flushall()
    after = World(workspace, redis, (OPS,))
    after.now = before.now
    after.look(MINUTE)
    (lost,) = after.posts(run)
    assert "Redis lost its data" in lost.plain_text
    assert {call["arguments"]["ts"] for call in after.calls("chat.update")} == {lost.ts}


def test_a_message_that_cannot_be_edited_does_not_stop_the_search(workspace: Workspace, redis: Redis) -> None:
    before = World(workspace, redis)
    before.now = time.time()
    for _ in range(2):
        before.start_runs(1)
        before.look()
    runs = before.runs.open_runs()
    newest = max((before.posts(run)[0] for run in runs), key=lambda message: message.ts)
    redis.flushall()
    after = World(workspace, redis, (OPS,))
    after.now = before.now
    edit = after.client.chat_update

    def reject_one_edit(**payload: Any) -> Any:
        return edit(**{**payload, "ts": "1.000001"} if payload["ts"] == newest.ts else payload)

    after.client.chat_update = reject_one_edit  # type: ignore[method-assign]
    after.look(MINUTE)
    messages = ["Redis lost its data" in after.posts(run)[0].plain_text for run in runs]
    assert sorted(messages) == [False, True]


def test_does_not_mistake_another_apps_message_for_the_runs_message(workspace: Workspace, redis: Redis) -> None:
    """A post whose reply was lost is looked up by its run ID."""
    world = World(workspace, redis)
    world.now = time.time()
    (run,) = world.start_runs(1)
    workspace.set_fault("drop_reply", method="chat.postMessage")
    world.look()
    post_metadata(workspace, {**OPEN_RUN, "run": run})
    world.look(MINUTE)
    (post,) = world.posts(run)
    assert world.runs.posted_messages.get(run)["ts"] == post.ts
