"""Slack refuses, is away or shuts the bot out: runs go on, it is asked now and then, and the last state comes once.

The real Reporter against the lab's Slack; the hours pass by the test's own clock.
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

from bot.messages import Messages
from bot.past import Past
from bot.patience import MOST, Patience
from bot.record import RunRecord, run_id
from bot.reporter import TICK, Reporter
from bot.runs import Runs
from bot.thread import PAGE
from bot.witness import Witness
from imker.audit import Audit
from jobs.contract import Began, Body, Detail, Ended, Migrate, Planned, StepDone, StepLine, StepStarted
from jobs.journal import Journal
from lab.slack.client import Seen, Workspace
from lab.slack.running import running
from tests.streams import KEY

ALICE, OPS = "U01ALICE", "C01OPS"
LONG, MINUTE = 1200.0, 60.0  # seconds; what holds for so long holds for hours
STEPS = tuple(StepLine(f"Step{n}", f"step {n}") for n in range(20))
DONE = Ended("done", "kaditz is in the swarm")


class World:
    def __init__(self, workspace: Workspace, redis: Redis, past: tuple[str, ...] = ()) -> None:
        self.workspace, self.redis, self.now = workspace, redis, 1_795_440_000.0
        self.client = WebClient(token="xoxb-lab", base_url=f"{workspace.url}/api/", retry_handlers=list[RetryHandler]())
        self.runs = Runs(redis, self.clock, KEY)
        self.journals: dict[str, Journal] = {}
        self.private: list[str] = []  # told to the asker alone
        witness = Witness(self.client, Audit(redis), self.runs, OPS, self.clock)
        patience = Patience(self.clock)
        messages, looks = Messages(self.runs, self.client, self.clock), Past(self.client, self.runs, past, self.clock)
        self.reporter = Reporter(self.runs, messages, witness, looks, self.clock, patience)

    def clock(self) -> float:
        return self.now

    def begun(self, number: int) -> list[str]:
        records = [
            RunRecord(
                run_id(uuid.uuid4().hex), Migrate("kaditz"), "migrate kaditz", ALICE, OPS, self.now, within=("kaditz",)
            )
            for _ in range(number)
        ]
        for record in records:
            self.runs.start(record, "https://hooks.slack.com/answer")
            self.tell(record.run, Began("kaditz"), Planned(STEPS))
        return [record.run for record in records]

    def tell(self, run: str, *bodies: Body) -> None:
        journal = self.journals.setdefault(run, Journal(self.redis, KEY, run, 1, self.clock))
        for body in bodies:
            journal.tell(body)

    def look(self, seconds: float = 0.0, then: Callable[[], None] = lambda: None) -> None:
        """A look every few seconds for so long; `then` after each."""
        apart = TICK if seconds < LONG else 4 * TICK
        for _ in range(max(1, int(seconds / apart))):
            self.reporter.look()
            then()
            self.now += apart

    def calls(self, *methods: str) -> list[dict[str, Any]]:
        return [call for call in self.workspace.calls() if not methods or call["method"] in methods]

    def posts(self, run: str) -> list[Seen]:
        seen = self.workspace.sees(ALICE, OPS)
        return [message for message in seen if f"run `{run}`" in message.plain and not message.ephemeral]


@pytest.fixture(scope="module")
def workspace() -> Iterator[Workspace]:
    with running() as workspace:
        yield workspace


@pytest.fixture
def world(workspace: Workspace, redis: Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    world = World(workspace, redis)

    def send(self: WebhookClient, *, text: str, response_type: str) -> None:
        world.private.append(text)

    monkeypatch.setattr(WebhookClient, "send", send)
    yield world
    workspace.clear_faults()
    workspace.channel(OPS)


def steps(world: World, runs: list[str]) -> Callable[[], None]:
    """Each look finds a step more of each run, as long as there are any."""
    left = [body for step in STEPS for body in (StepStarted(step.key), StepDone(step.key))]

    def further() -> None:
        if left:
            body = left.pop(0)
            for run in runs:
                world.tell(run, body)

    return further


@pytest.mark.parametrize(
    ("kind", "seconds", "most"),
    [
        ("away", 1.0, 3 * (LONG / MOST + 6)),
        ("server_error", 1.0, 3 * (LONG / MOST + 6)),
        ("ratelimited", 30.0, LONG / 30),
    ],
)
def test_after_a_long_time_the_last_state_comes_once_and_no_flood(
    world: World, kind: str, seconds: float, most: float
) -> None:
    runs = world.begun(3)
    world.look()
    before = len(world.calls())
    world.workspace.fault(kind, times=-1, seconds=seconds)
    world.look(LONG, steps(world, runs))
    for run in runs:
        world.tell(run, DONE)
    world.look(3 * MOST)
    during = len(world.calls())
    assert during - before <= most + 8, "it is not asked at each look"
    world.workspace.clear_faults()
    world.look(2 * MOST)
    assert [call["method"] for call in world.calls()[during:]] == ["chat.update"] * 3
    for run in runs:
        (post,) = world.posts(run)
        assert DONE.summary in post.plain
    assert world.runs.open_runs() == []


def test_a_first_post_that_is_refused_for_long_comes_once(world: World) -> None:
    world.workspace.fault("server_error", method="chat.postMessage", times=-1)
    (run,) = world.begun(1)
    world.look(10 * MINUTE)
    world.workspace.clear_faults()
    world.look(2 * MOST)
    assert len(world.posts(run)) == 1


def test_a_post_whose_reply_was_lost_is_found_in_a_busy_channel(redis: Redis) -> None:
    """More was said since than one page of history holds."""
    with running() as workspace:
        world = World(workspace, redis)
        world.now = time.time()
        workspace.fault("drop_reply", method="chat.postMessage")
        (run,) = world.begun(1)
        world.look()
        for number in range(PAGE + 1):
            world.client.chat_postMessage(channel=OPS, text=f"lunch? {number}")
        world.look(2 * MOST)
        (post,) = world.posts(run)
        assert world.runs.posted.of(run)["ts"] == post.ts


def test_runs_go_on_while_slack_is_away(world: World) -> None:
    """A run that was recorded and whose job is not there yet is enqueued, whatever Slack does."""
    world.workspace.fault("away", times=-1)
    (run,) = world.begun(1)
    world.look()
    world.redis.delete(f"rq:job:{run}-1", f"run:{run}:events")
    world.look(10.0)
    assert Job.exists(f"{run}-1", world.redis)


def refusing(world: World, monkeypatch: pytest.MonkeyPatch, method: str, error: str, words: str = "") -> None:
    """Slack takes no call of that method with these words in it."""
    real = getattr(world.client, method)

    def call(**said: Any) -> Any:
        if words in str(said):
            raise SlackApiError("no", SlackResponse(client=None, http_verb="", api_url="", req_args={}, headers={},
                                                     data={"ok": False, "error": error}, status_code=200))  # fmt: skip
        return real(**said)

    monkeypatch.setattr(world.client, method, call)


@pytest.mark.parametrize("error", ["invalid_blocks", "msg_blocks_too_long", "msg_too_long"])
def test_what_slack_does_not_take_in_blocks_is_said_in_words(
    world: World, monkeypatch: pytest.MonkeyPatch, error: str
) -> None:
    for method in ("chat_postMessage", "chat_update"):
        refusing(world, monkeypatch, method, error, words="'type': 'section'")
    before = len(world.workspace.sees(ALICE, OPS))
    (run,) = world.begun(1)
    world.look()
    world.tell(run, Detail("apt", "nothing <new>"), DONE)
    world.look(MINUTE)
    message, reply = world.workspace.sees(ALICE, OPS)[before:]
    assert DONE.summary in message.text
    assert (message.plain, reply.thread) == ("", message.ts)
    assert "nothing &lt;new&gt;" in reply.text
    assert world.runs.open_runs() == []


def test_a_message_that_may_not_be_edited_any_more_is_posted_anew_when_it_comes_to_rest(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    (run,) = world.begun(1)
    world.look()
    refusing(world, monkeypatch, "chat_update", "edit_window_closed")
    world.look(MINUTE, steps(world, [run]))
    assert len(world.posts(run)) == 1
    world.tell(run, DONE)
    world.look(MINUTE)
    first, last = world.posts(run)
    assert (DONE.summary in first.plain, DONE.summary in last.plain) == (False, True)
    assert world.runs.open_runs() == []


def test_what_was_surely_refused_is_not_looked_up_before_it_is_tried_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = len(world.calls("conversations.history"))
    (run,) = world.begun(1)
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
def test_shut_out_the_run_goes_on_and_its_asker_is_told(world: World, how: str, when: str) -> None:
    (run,) = world.begun(1)
    if when != "the first post":
        world.look()
    if when == "a detail":
        world.tell(run, Detail("apt", "nothing new"))
    world.workspace.channel(OPS, **SHUT[how])
    before = len(world.calls())
    if when != "the end":
        world.look(LONG)
        (told,) = world.private
        assert "I may not write into this channel" in told
    world.tell(run, DONE)
    world.look(10 * MINUTE)
    assert sum(DONE.summary in told for told in world.private) == 1
    assert len(world.private) <= 2
    assert world.runs.open_runs() == [], "nothing is asked for ever"
    assert len(world.calls()) - before <= 2 * (LONG + 10 * MINUTE) / 300
    assert world.runs.events(run)[-1].body == DONE, "the record keeps it"


@pytest.mark.parametrize("how", SHUT)
def test_let_in_again_the_message_becomes_true(world: World, how: str) -> None:
    (run,) = world.begun(1)
    world.look()
    world.workspace.channel(OPS, **SHUT[how])
    world.tell(run, StepStarted("Step0"))
    world.look(MINUTE)
    world.workspace.channel(OPS)
    world.look(5 * MINUTE)
    (post,) = world.posts(run)
    assert "[in_progress] step 0" in post.plain


def test_a_lost_reply_is_looked_up_although_the_bots_clock_is_almost_an_hour_ahead(world: World) -> None:
    world.now = time.time() + 3500
    (run,) = world.begun(1)
    world.workspace.fault("drop_reply", method="chat.postMessage")
    world.look(10)
    assert len(world.posts(run)) == 1


@pytest.mark.parametrize("details", [0, 2])
def test_a_message_that_somebody_deleted_comes_again_with_all_that_belongs_to_it(world: World, details: int) -> None:
    (run,) = world.begun(1)
    world.tell(run, Detail("before", "x"))
    world.look()
    world.workspace.remove(world.posts(run)[0])
    world.tell(run, *[Detail(f"after {n}", "x") for n in range(details)], DONE)
    world.look(MINUTE)
    (post,) = world.posts(run)
    thread = [seen.plain for seen in world.workspace.sees(ALICE, OPS) if seen.thread == post.ts]
    assert len(thread) == 1 + details
    assert DONE.summary in post.plain
    assert world.runs.open_runs() == []


@pytest.mark.parametrize("clock", [3600.0, -3600.0])
def test_a_clock_that_is_set_keeps_nothing_waiting(world: World, clock: float) -> None:
    """A record whose job is not there is enqueued, whatever the time is called."""
    (run,) = world.begun(1)
    world.redis.delete(f"rq:job:{run}-1", f"run:{run}:events")
    world.now += clock
    world.look(10.0)
    assert Job.exists(f"{run}-1", world.redis)


def test_of_a_run_that_redis_has_lost_it_says_so_once(world: World) -> None:
    shown, unposted = world.begun(2)
    world.look()
    world.workspace.fault("server_error", method="chat.update")
    world.redis.flushall()
    before = len(world.calls())
    world.look(MINUTE)
    for run in (shown, unposted):
        (post,) = world.posts(run)
        assert "Redis has lost its data" in post.plain
        assert "/swarm migrate kaditz" in post.plain
    assert len(world.calls()) - before <= 3


def test_a_reporter_that_begins_after_redis_was_wiped_finds_what_was_going_on_and_says_so_once(redis: Redis) -> None:
    with running() as workspace:
        before = World(workspace, redis)
        before.now = time.time()
        going, over = before.begun(2)
        before.tell(over, DONE)
        before.look()
        redis.flushall()
        kept = World(workspace, redis)
        kept.now = before.now
        (fresh,) = kept.begun(1)
        for _ in range(2):
            after = World(workspace, redis, (OPS,))
            after.now = kept.now
            after.look(MINUTE)
        (lost,) = after.posts(going)
        assert "Redis has lost its data" in lost.plain
        assert "/swarm migrate kaditz" in lost.plain
        assert DONE.summary in after.posts(over)[0].plain
        assert "forgotten" not in after.posts(fresh)[0].plain
        edits = [call for call in after.calls("chat.update") if call["arguments"]["ts"] == lost.ts]
        assert len(edits) == 1


@pytest.mark.parametrize("place", ["fleet", "events"])
def test_a_redis_that_is_wiped_in_the_middle_of_a_look_doubles_no_message(
    world: World, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the run's record was read, and before what was posted of it is."""
    (run,) = world.begun(1)
    world.look()
    asked = getattr(world.runs, place)

    def wiped(*about: object) -> object:
        answer = asked(*about)
        world.redis.flushall()
        return answer

    with monkeypatch.context() as once:
        once.setattr(world.runs, place, wiped)
        world.look()
    world.look(MINUTE)
    (post,) = world.posts(run)
    assert "Redis has lost its data" in post.plain
