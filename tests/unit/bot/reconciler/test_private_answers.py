"""A private run reaches its requester once, at the end, whatever Slack does, and the channel only when it is shown."""

import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis

from bot.messages.block_kit import Message
from bot.messages.runs.private_answer import private_answer
from bot.reconciler.private_answers import PrivateAnswers
from bot.records import RunRecord
from imker.protocol.commands import ListNodes
from imker.protocol.events import JobFinished, JobStarted
from imker.protocol.run_id import run_id
from lab.slack.client import VisibleMessage, Workspace
from lab.slack.server_process import run_fake_slack
from tests.unit.bot.reconciler.test_slack_outage import ALICE, MINUTE, OPS, World

pytestmark = pytest.mark.processes
BOB = "U02BOB"
DONE = JobFinished("done", "8 nodes")


@pytest.fixture(scope="module")
def workspace() -> Iterator[Workspace]:
    with run_fake_slack() as workspace:
        yield workspace


@pytest.fixture
def world(workspace: Workspace, redis: Redis) -> Iterator[World]:
    world = World(workspace, redis)
    world.now = time.time()
    yield world
    workspace.clear_faults()


def start_private_run(world: World) -> str:
    run = run_id(uuid.uuid4().hex)
    record = RunRecord(run, ListNodes(), "nodes", ALICE, OPS, world.now, allowed_hosts=("*",), is_private=True)
    world.runs.start(record, f"{world.workspace.url}/response/none")
    world.tell(run, JobStarted())
    return run


def answers(world: World, run: str, user: str = ALICE) -> list[VisibleMessage]:
    messages = world.workspace.visible_messages(user, OPS)
    return [message for message in messages if f"run `{run}`" in message.plain_text and message.ephemeral]


def test_answers_once_at_the_end(world: World) -> None:
    run = start_private_run(world)
    world.look(MINUTE)
    assert answers(world, run) == []
    world.tell(run, DONE)
    world.look(MINUTE)
    assert len(answers(world, run)) == 1
    assert (world.posts(run), answers(world, run, BOB), world.runs.open_runs()) == ([], [], [])


def test_answers_once_after_slack_was_down(world: World) -> None:
    run = start_private_run(world)
    world.tell(run, DONE)
    world.workspace.set_fault("server_error", method="chat.postEphemeral", times=3)
    world.look(20 * MINUTE)
    assert len(answers(world, run)) == 1
    assert world.posts(run) == []


def test_a_shown_answer_is_posted_once(world: World) -> None:
    run = start_private_run(world)
    world.tell(run, DONE)
    world.look(MINUTE)
    world.workspace.set_fault("drop_reply", method="chat.postMessage")
    for _ in range(2):
        world.runs.show(run, ALICE)
        world.look(20 * MINUTE)
    assert (len(world.posts(run)), len(answers(world, run))) == (1, 1)
    assert world.runs.open_runs() == []


def test_sends_the_text_if_slack_rejects_the_blocks(world: World) -> None:
    run = start_private_run(world)
    record = world.runs.record(run)
    assert record is not None
    bad: Any = {"type": "table", "rows": []}
    message = private_answer(record, Message(f"8 nodes, run `{run}`", (bad,)))
    PrivateAnswers(world.runs, world.client, "https://slack.com/api/").send(record, message)
    texts = [post.text for post in world.workspace.visible_messages(ALICE, OPS) if post.ephemeral]
    assert any(run in text for text in texts)
