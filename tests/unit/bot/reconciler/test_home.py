"""The Home tab follows the rights, is published when it is opened or changes, and at most once in ten seconds."""

from typing import Any

import pytest
from pydantic import TypeAdapter
from redis import Redis
from slack_sdk.errors import SlackApiError
from slack_sdk.web import SlackResponse

from bot.reconciler.home import LOOK_INTERVAL, PUBLISH_INTERVAL, HomePublisher
from bot.runs.home_viewers import VIEWING_SECONDS
from bot.watch.model import WatchState
from imker import signing
from imker.protocol.events import JobFinished, JobStarted, NodeTable
from imker.protocol.values import NodeRow
from imker.protocol.version import LAST_NODES_KEY
from lab.slack.plain_text import view_text
from lab.slack.state import SlackError, SlackState
from lab.slack.views import publish_view
from tests.support.bot_harness import IDS, KEY, LEI, OPS, BotHarness, parse_settings_file
from tests.support.watch_looks import fold
from tests.unit.bot.handlers.test_authorization_matrix import TABLE


class Slack:
    """Record the published views, which the fake Slack must accept."""

    def __init__(self) -> None:
        self.state = SlackState()
        self.state.users |= {user: {"id": user} for user in IDS.values()}
        self.published: list[tuple[str, dict[str, Any]]] = []

    def views_publish(self, user_id: str, view: dict[str, Any]) -> None:
        try:
            publish_view({"user_id": user_id, "view": view}, self.state)
        except SlackError as error:
            reply = SlackResponse(
                client=None, http_verb="POST", api_url="", req_args={}, data={"error": error.error}, headers={},
                status_code=200,
            )  # fmt: skip
            raise SlackApiError("views.publish", reply) from error
        self.published.append((user_id, view))


class World:
    def __init__(self, redis: Redis) -> None:
        self.bench = BotHarness(redis, parse_settings_file(TABLE["config"]))
        self.slack, self.now = Slack(), 1000.0
        self.home = HomePublisher(
            self.bench.runs,
            self.slack,  # type: ignore[arg-type]
            lambda: self.bench.handler.access,
            lambda: self.bench.timestamp.unix,
            lambda: self.now,
        )

    def open(self, who: str) -> None:
        self.bench.runs.home.open(IDS[who], self.bench.timestamp.unix)

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.bench.advance_clock(seconds)

    def text(self, who: str) -> str:
        """Open Home and return what it shows."""
        if self.slack.published:
            self.pass_time(PUBLISH_INTERVAL)
        self.open(who)
        self.home.publish_due()
        user, view = self.slack.published[-1]
        assert user == IDS[who]
        return view_text(view)


@pytest.fixture
def world(redis: Redis) -> World:
    return World(redis)


def test_publishes_for_those_who_opened_home_only(world: World) -> None:
    world.home.publish_due()
    assert world.slack.published == []
    world.open("alice")
    world.home.publish_due()
    assert [user for user, _ in world.slack.published] == [IDS["alice"]]


def test_publishes_a_change_and_nothing_else(world: World) -> None:
    world.open("alice")
    world.home.publish_due()
    for _ in range(5):
        world.pass_time(PUBLISH_INTERVAL)
        world.home.publish_due()
    assert len(world.slack.published) == 1
    world.bench.create_run("running")
    world.pass_time(LOOK_INTERVAL)
    world.home.publish_due()
    assert len(world.slack.published) == 2


def test_publishes_once_in_ten_seconds(world: World) -> None:
    for number in range(40):
        world.open("alice")
        if number % 3 == 0:
            world.bench.types("alice", "nodes")
        world.home.publish_due()
        world.pass_time(1.0)
    assert len(world.slack.published) == 40 / PUBLISH_INTERVAL


def test_forgets_who_has_not_opened_home_for_an_hour(world: World) -> None:
    world.open("alice")
    world.home.publish_due()
    world.pass_time(VIEWING_SECONDS)
    world.bench.create_run("running")
    world.home.publish_due()
    assert len(world.slack.published) == 1


@pytest.mark.parametrize(
    ("who", "state", "expected", "forbidden"),
    [
        ("bob", "pending", "Accept", "Nothing is waiting for you."),
        ("alice", "pending", "Nothing is waiting for you.", "Accept\nReject"),
        ("carol", "pending", "Running", "Accept\nReject"),
        ("alice", "warned", "Continue\nCancel", "Nothing is waiting"),
        ("alice", "fleet", "Read the plan and start it in <#C01OPS>.", "Start\n"),
        ("carol", "over", "Last runs", "Running"),
        ("guest", "pending", "Guests can't use Imker", "Migrate"),
        ("heidi", "pending", "(requires `read`). Ask <!subteam^S01STAFF>, <@U16IVAN>, ", "kaditz"),
        ("ivan", "pending", "Nothing is waiting for you.", "kaditz"),
        ("erin", "warned-lei", "Continue\nCancel", "kaditz"),
        ("erin", "pending", "Nothing is waiting for you.", "kaditz"),
        ("frank", "pending", "(requires `read`)", "kaditz"),
    ],
)
def test_shows_what_its_reader_may_see(world: World, who: str, state: str, expected: str, forbidden: str) -> None:
    world.bench.create_run(state)
    text = world.text(who)
    assert expected in text
    assert forbidden not in text


@pytest.mark.parametrize("is_posted", [False, True])
def test_shows_a_private_run_to_its_requester_until_it_is_posted(world: World, is_posted: bool) -> None:
    world.bench.types("alice", "plan kaditz --private")
    (run,) = world.bench.runs.open_runs()
    if is_posted:
        world.bench.runs.show(run, IDS["alice"])
    assert [run in world.text(who) for who in ("alice", "carol")] == [True, is_posted]


@pytest.mark.parametrize(
    ("outside", "expected"),
    [((OPS,), "Nothing is waiting for you."), ((OPS, LEI), "You aren't a member of a channel")],
    ids=["of one channel", "of no channel"],
)
def test_shows_nothing_of_a_channel_that_its_reader_is_not_in(
    world: World, outside: tuple[str, ...], expected: str
) -> None:
    world.bench.slack.outside = dict.fromkeys(outside, (IDS["bob"],))
    world.bench.create_run("pending")
    text = world.text("bob")
    assert expected in text
    assert "kaditz" not in text


def test_who_has_approved_already_is_not_waited_for(world: World) -> None:
    run = world.bench.create_run("pending", needed=2)
    world.bench.clicks("bob", f"{run}:1", "accept")
    assert "Nothing is waiting for you." in world.text("bob")
    assert "1 of 2" in world.text("dave")


def test_shows_the_five_last_runs(world: World) -> None:
    for number in range(7):
        world.bench.salt = str(number)
        run = world.bench.create_run("running")
        world.bench.emit(run, JobStarted("kaditz"), JobFinished("done", f"run {number} is done."))
        world.pass_time(1.0)
    text = world.text("alice")
    assert text.count("is done") == 5
    assert "run 6 is done" in text
    assert "run 1 is done" not in text


def test_slack_accepts_home_with_many_runs(world: World) -> None:
    for number in range(40):
        world.bench.salt = str(number)
        world.bench.create_run(("pending", "running", "over")[number % 3])
    assert "and 4 more" in world.text("bob")


def test_one_users_error_does_not_affect_the_others(world: World) -> None:
    world.slack.state.users.pop(IDS["bob"])
    world.open("bob")
    world.open("alice")
    world.home.publish_due()
    assert [user for user, _ in world.slack.published] == [IDS["alice"]]


def test_shows_open_incidents_to_those_who_may_list_the_nodes(world: World) -> None:
    table = NodeTable(
        "tondi",
        world.bench.timestamp.unix,
        (NodeRow("a", True, "tondi", "Accepted", "Ready", "Active", "Leader", "26.1.5"),),
    )
    text = TypeAdapter(NodeTable).dump_json(table).decode()
    world.bench.redis.set(LAST_NODES_KEY, signing.sign_for(KEY, LAST_NODES_KEY, text))
    state = fold(fold(fold(WatchState(), "", 0), "lausen Down", 60), "lausen Down", 80)
    world.bench.runs.watch.save_state(state)
    assert "`lausen` is Down since" in world.text("alice").replace("*", "")
    assert "lausen" not in world.text("ivan")


def test_a_newer_node_table_without_a_change_is_published_seldom(world: World) -> None:
    """The watch saves one every minute."""
    for seconds in range(0, 240, 60):
        table = NodeTable("tondi", 1_795_440_000.0 + seconds, ())
        text = TypeAdapter(NodeTable).dump_json(table).decode()
        world.bench.redis.set(LAST_NODES_KEY, signing.sign_for(KEY, LAST_NODES_KEY, text))
        if not seconds:
            world.open("alice")
        world.home.publish_due()
        world.pass_time(60.0)
    assert len(world.slack.published) == 1
