"""A command that a bot acknowledged and did not live to deal with is found and dealt with, once."""

import json
import time
from dataclasses import replace
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import OutOfMemoryError, ReadOnlyError, RedisError, ResponseError
from slack_bolt import App, BoltRequest
from slack_bolt.authorization import AuthorizeResult
from slack_sdk import WebClient

from bot.inbox import INBOX, KEPT, LATE, LEFT, Delivery, Inbox
from bot.limit import Limit
from bot.listeners import register
from bot.reception import Reception
from bot.runs import Runs
from imker.audit import Audit
from imker.chain import Fact
from imker.signing import Key
from tests.bot.desk import IDS, Bench, configured

ALL = configured("""
[slack]
channels = ["C01OPS"]
[rights]
read = ["*"]
change = ["*"]
accept = ["*"]
""")
AT = 1795440000.0
ASKED = Delivery("command", "trigger.1", IDS["alice"], "C01OPS", "migrate kaditz", "", AT)


class Slack:
    """Notes what is told to whom in private."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []

    def chat_postEphemeral(self, **said: Any) -> None:
        self.told.append(said)


def inbox(redis: Redis, now: float, key: str = "x" * 64) -> Inbox:
    return Inbox(redis, Key(key), lambda: now)


def reception(redis: Redis, bench: Bench, slack: Slack, now: float = AT + LEFT + 1) -> Reception:
    return Reception(bench.desk, inbox(redis, now), slack, Limit(1000))  # type: ignore[arg-type]


@pytest.mark.parametrize(("later", "left"), [(LEFT - 1, []), (LEFT + 1, [ASKED]), (-3600.0, [ASKED])])
def test_what_somebody_may_still_be_at_is_left_to_them(redis: Redis, later: float, left: list[Delivery]) -> None:
    inbox(redis, AT).take(ASKED)
    assert inbox(redis, AT + later).left() == left
    assert 0 < redis.ttl(f"{INBOX}:{ASKED.id}") <= KEPT


def test_what_is_done_is_gone_and_so_is_what_imker_did_not_write(redis: Redis) -> None:
    box = inbox(redis, AT + LEFT + 1)
    box.take(ASKED)
    box.done(ASKED)
    inbox(redis, AT, key="y" * 64).take(replace(ASKED, id="trigger.2"))
    assert box.left() == []
    assert redis.smembers(INBOX) == set()


def test_a_command_that_died_with_its_bot_becomes_its_one_run(redis: Redis) -> None:
    bench, slack = Bench(redis, ALL), Slack()
    inbox(redis, AT).take(ASKED)
    for _ in range(2):
        reception(redis, bench, slack).catch_up()
    (request,) = bench.requests().values()
    assert (request.command.type, request.asker) == ("migrate", IDS["alice"])
    assert slack.told == []


def test_a_refusal_that_died_with_its_bot_is_still_told_to_its_asker_alone(redis: Redis) -> None:
    bench, slack = Bench(redis, ALL), Slack()
    inbox(redis, AT).take(replace(ASKED, text="migrate nowhere-near"))
    reception(redis, bench, slack).catch_up()
    (told,) = slack.told
    assert (told["user"], told["channel"]) == (IDS["alice"], "C01OPS")
    assert "no host nowhere-near" in told["text"]
    assert bench.requests() == {}


@pytest.mark.parametrize(
    ("asked", "what"),
    [
        (replace(ASKED, url="https://hooks.slack.com/answer"), "`/swarm migrate kaditz`"),
        (replace(ASKED, kind="click", verdict="accept", text="1-1"), "your button"),
    ],
)
def test_what_a_bot_left_and_none_found_in_time_is_not_begun_and_its_asker_is_told_once(
    redis: Redis, asked: Delivery, what: str
) -> None:
    """Nobody waits for it any more, and its response_url is dead."""
    bench, slack = Bench(redis, ALL), Slack()
    inbox(redis, AT).take(asked)
    for _ in range(2):
        reception(redis, bench, slack, AT + LATE + 1).catch_up()
    (told,) = slack.told
    assert told["text"].startswith(f"Not done, unless `/swarm status` shows it: {what}. The bot was away")
    assert (told["user"], told["channel"]) == (IDS["alice"], "C01OPS")
    assert bench.requests() == {}
    assert redis.smembers(INBOX) == set()


@pytest.mark.parametrize(("asked", "says"), [(ASKED, "not written down yet"), (replace(ASKED, kind="click"), "")])
def test_an_acknowledgement_before_it_is_written_down_is_no_promise(
    redis: Redis, monkeypatch: pytest.MonkeyPatch, asked: Delivery, says: str
) -> None:
    """A bot that dies right then has lost it."""
    acks: list[str] = []
    monkeypatch.setattr("bot.reception.LATEST", 0.01)
    monkeypatch.setattr(Inbox, "take", lambda self, delivery: time.sleep(0.2))
    monkeypatch.setattr(Reception, "deal_with", lambda self, delivery: None)
    reception(redis, Bench(redis, ALL), Slack()).receive(asked, lambda text="": acks.append(text))  # type: ignore[arg-type]
    first, _ = acks
    assert says in first


def test_where_redis_takes_nothing_it_is_acknowledged_and_refused_in_words(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, slack, acks = Bench(redis, ALL), Slack(), []

    def away(self: Inbox, delivery: Delivery) -> None:
        raise NoConnection("away")

    monkeypatch.setattr(Inbox, "take", away)
    reception(redis, bench, slack).receive(ASKED, lambda: acks.append(1))  # type: ignore[arg-type]
    assert acks
    assert "Not started: Redis does not answer" in slack.told[0]["text"]
    assert bench.requests() == {}


REFUSALS: list[tuple[RedisError, str, str]] = [  # what Redis says; what is told of a command that is not written down
    (
        NoConnection("away"),
        "Not started: Redis does not answer. Should it have heard",
        "Not started yet: Redis does not",
    ),
    (OutOfMemoryError("no"), "Not started: Redis is full: its maxmemory", "Not started yet: Redis is full"),
    (ReadOnlyError("no"), "Not started: Redis is read-only", "Not started yet: Redis is read-only"),
    (
        ResponseError("MISCONF Errors"),
        "Not started: Redis cannot write to its disk",
        "Not started yet: Redis cannot write",
    ),
    (ResponseError("NOREPLICAS Not"), "Not started: Redis has too few replicas", "Not started yet: Redis has too few"),
    (
        ResponseError("ERR odd"),
        "Not started: Redis refuses it; the bot's log",
        "Not done: Redis refuses it; the bot's log",
    ),
]


@pytest.mark.parametrize(("says", "told", "_"), REFUSALS, ids=lambda case: str(case)[:40])
def test_what_was_not_written_down_is_refused_as_what_it_is(
    redis: Redis, monkeypatch: pytest.MonkeyPatch, says: RedisError, told: str, _: str
) -> None:
    slack = Slack()
    monkeypatch.setattr(Inbox, "take", failing(says))
    reception(redis, Bench(redis, ALL), slack).receive(ASKED, lambda: None)  # type: ignore[arg-type]
    assert [told in answer["text"] for answer in slack.told] == [True]


@pytest.mark.parametrize(("says", "_", "told"), REFUSALS, ids=lambda case: str(case)[:40])
def test_what_was_written_down_is_said_to_begin_later_and_does_once(
    redis: Redis, monkeypatch: pytest.MonkeyPatch, says: RedisError, _: str, told: str
) -> None:
    bench, slack = Bench(redis, ALL), Slack()
    desk = reception(redis, bench, slack)
    with monkeypatch.context() as patch:
        patch.setattr(Runs, "start", failing(says))
        desk.receive(ASKED, lambda: None)  # type: ignore[arg-type]
        for _again in range(3):
            desk.catch_up()
    assert [told in answer["text"] for answer in slack.told] == [True], "it is said once"
    for _again in range(3):
        desk.catch_up()
    assert len(bench.requests()) == ("yet" in told)
    assert inbox(redis, AT + LEFT + 1).left() == []


def test_a_record_that_redis_does_not_take_just_now_is_not_a_broken_one(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Redis, "eval", failing(OutOfMemoryError("no")))
    with pytest.raises(OutOfMemoryError):
        Audit(redis).append(Fact("1", "asked", IDS["alice"]))


def failing(says: RedisError) -> Any:
    def fail(*_: Any, **__: Any) -> None:
        raise says

    return fail


MENTION = {
    "type": "event_callback",
    "team_id": "T01",
    "event_id": "Ev1",
    "event": {"type": "app_mention", "user": IDS["alice"], "channel": "C01OPS", "text": "<@U0IMKER> nodes"},
}


def mentioned(taken_in: Reception) -> int:
    """What Bolt answers Slack with: that is the acknowledgement."""
    app = App(
        client=WebClient(token="xoxb-lab", base_url="http://127.0.0.1:9/"),
        authorize=lambda: AuthorizeResult(enterprise_id=None, team_id="T01", bot_token="xoxb-lab"),
        token_verification_enabled=False,
        request_verification_enabled=False,
    )
    register(app, taken_in)
    return app.dispatch(BoltRequest(body=json.dumps(MENTION), mode="socket_mode")).status


def test_a_mention_is_written_down_before_it_is_acknowledged(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bolt acknowledges an event by itself, before its listener; here the bot dies right then."""
    monkeypatch.setattr(Reception, "deal_with", lambda self, delivery: None)
    assert mentioned(reception(redis, Bench(redis, ALL), Slack())) == 200
    (left,) = inbox(redis, time.time() + LEFT + 1).left()
    assert (left.id, left.user, left.text) == ("Ev1", IDS["alice"], "<@U0IMKER> nodes")


def test_a_mention_that_could_not_be_written_down_is_refused_and_not_asked_for_again(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, slack = Bench(redis, ALL), Slack()

    def away(self: Inbox, delivery: Delivery) -> None:
        raise NoConnection("away")

    monkeypatch.setattr(Inbox, "take", away)
    assert mentioned(reception(redis, bench, slack)) == 200
    assert "Not started: Redis does not answer" in slack.told[0]["text"]
    assert bench.requests() == {}
