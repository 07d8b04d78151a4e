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

from bot.handlers.delivery import Delivery
from bot.listeners import register
from bot.listeners.inbox import ABANDONED_AFTER, EXPIRES_AFTER, INBOX_KEY, RETENTION, Inbox
from bot.listeners.rate_limit import RateLimiter
from bot.listeners.receiver import DeliveryReceiver
from bot.runs.store import RunStore
from imker.audit_log import AuditLog
from imker.hash_chain import AuditFact
from imker.signing import SigningKey
from tests.support.bot_harness import IDS, BotHarness, parse_settings_file

ALL = parse_settings_file("""
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
        self.replies: list[dict[str, Any]] = []

    def chat_postEphemeral(self, **arguments: Any) -> None:
        self.replies.append(arguments)


def inbox(redis: Redis, now: float, key: str = "x" * 64) -> Inbox:
    return Inbox(redis, SigningKey(key), lambda: now)


def reception(redis: Redis, bench: BotHarness, slack: Slack, now: float = AT + ABANDONED_AFTER + 1) -> DeliveryReceiver:
    return DeliveryReceiver(bench.handler, inbox(redis, now), slack, RateLimiter(1000))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("later", "remaining"), [(ABANDONED_AFTER - 1, []), (ABANDONED_AFTER + 1, [ASKED]), (-3600.0, [ASKED])]
)
def test_what_somebody_may_still_be_at_is_left_to_them(redis: Redis, later: float, remaining: list[Delivery]) -> None:
    inbox(redis, AT).add(ASKED)
    assert inbox(redis, AT + later).abandoned() == remaining
    assert 0 < redis.ttl(f"{INBOX_KEY}:{ASKED.delivery_id}") <= RETENTION


def test_what_is_done_is_gone_and_so_is_what_imker_did_not_write(redis: Redis) -> None:
    box = inbox(redis, AT + ABANDONED_AFTER + 1)
    box.add(ASKED)
    box.remove(ASKED)
    inbox(redis, AT, key="y" * 64).add(replace(ASKED, delivery_id="trigger.2"))
    assert box.abandoned() == []
    assert redis.smembers(INBOX_KEY) == set()


def test_a_command_that_died_with_its_bot_becomes_its_one_run(redis: Redis) -> None:
    bench, slack = BotHarness(redis, ALL), Slack()
    inbox(redis, AT).add(ASKED)
    for _ in range(2):
        reception(redis, bench, slack).recover_abandoned()
    (request,) = bench.enqueued_requests().values()
    assert (request.command.type, request.requester) == ("migrate", IDS["alice"])
    assert slack.replies == []


def test_a_refusal_that_died_with_its_bot_is_still_told_to_its_asker_alone(redis: Redis) -> None:
    bench, slack = BotHarness(redis, ALL), Slack()
    inbox(redis, AT).add(replace(ASKED, text="migrate nowhere-near"))
    reception(redis, bench, slack).recover_abandoned()
    (reply,) = slack.replies
    assert (reply["user"], reply["channel"]) == (IDS["alice"], "C01OPS")
    assert "no host nowhere-near" in reply["text"]
    assert bench.enqueued_requests() == {}


@pytest.mark.parametrize(
    ("delivery", "what"),
    [
        (replace(ASKED, response_url="https://hooks.slack.com/answer"), "`/swarm migrate kaditz`"),
        (replace(ASKED, kind="click", choice="accept", text="1-1"), "your button"),
    ],
)
def test_what_a_bot_left_and_none_found_in_time_is_not_begun_and_its_asker_is_told_once(
    redis: Redis, delivery: Delivery, what: str
) -> None:
    """Nobody waits for it any more, and its response_url is dead."""
    bench, slack = BotHarness(redis, ALL), Slack()
    inbox(redis, AT).add(delivery)
    for _ in range(2):
        reception(redis, bench, slack, AT + EXPIRES_AFTER + 1).recover_abandoned()
    (reply,) = slack.replies
    assert reply["text"].startswith(f"Not done, unless `/swarm status` shows it: {what}. The bot was away")
    assert (reply["user"], reply["channel"]) == (IDS["alice"], "C01OPS")
    assert bench.enqueued_requests() == {}
    assert redis.smembers(INBOX_KEY) == set()


@pytest.mark.parametrize(("incoming", "says"), [(ASKED, "not written down yet"), (replace(ASKED, kind="click"), "")])
def test_an_acknowledgement_before_it_is_written_down_is_no_promise(
    redis: Redis, monkeypatch: pytest.MonkeyPatch, incoming: Delivery, says: str
) -> None:
    """A bot that dies right then has lost it."""
    acks: list[str] = []
    monkeypatch.setattr("bot.listeners.receiver.ACK_DEADLINE", 0.01)
    monkeypatch.setattr(Inbox, "add", lambda self, delivery: time.sleep(0.2))
    monkeypatch.setattr(DeliveryReceiver, "handle", lambda self, delivery: None)
    reception(redis, BotHarness(redis, ALL), Slack()).receive(incoming, lambda text="": acks.append(text))  # type: ignore[arg-type]
    first, _ = acks
    assert says in first


def test_where_redis_takes_nothing_it_is_acknowledged_and_refused_in_words(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, slack, acks = BotHarness(redis, ALL), Slack(), []

    def away(self: Inbox, delivery: Delivery) -> None:
        raise NoConnection("away")

    monkeypatch.setattr(Inbox, "add", away)
    reception(redis, bench, slack).receive(ASKED, lambda: acks.append(1))  # type: ignore[arg-type]
    assert acks
    assert "Not started: Redis is not responding" in slack.replies[0]["text"]
    assert bench.enqueued_requests() == {}


REFUSALS: list[tuple[RedisError, str, str]] = [  # what Redis says; what is told of a command that is not written down
    (
        NoConnection("away"),
        "Not started: Redis is not responding. Should it have heard",
        "Not started yet: Redis is not",
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


@pytest.mark.parametrize(("says", "expected_text", "_"), REFUSALS, ids=lambda case: str(case)[:40])
def test_what_was_not_written_down_is_refused_as_what_it_is(
    redis: Redis, monkeypatch: pytest.MonkeyPatch, says: RedisError, expected_text: str, _: str
) -> None:
    slack = Slack()
    monkeypatch.setattr(Inbox, "add", failing(says))
    reception(redis, BotHarness(redis, ALL), slack).receive(ASKED, lambda: None)  # type: ignore[arg-type]
    assert [expected_text in answer["text"] for answer in slack.replies] == [True]


@pytest.mark.parametrize(("says", "_", "expected_text"), REFUSALS, ids=lambda case: str(case)[:40])
def test_what_was_written_down_is_said_to_begin_later_and_does_once(
    redis: Redis, monkeypatch: pytest.MonkeyPatch, says: RedisError, _: str, expected_text: str
) -> None:
    bench, slack = BotHarness(redis, ALL), Slack()
    desk = reception(redis, bench, slack)
    with monkeypatch.context() as patch:
        patch.setattr(RunStore, "start", failing(says))
        desk.receive(ASKED, lambda: None)  # type: ignore[arg-type]
        for _again in range(3):
            desk.recover_abandoned()
    assert [expected_text in answer["text"] for answer in slack.replies] == [True], "it is said once"
    for _again in range(3):
        desk.recover_abandoned()
    assert len(bench.enqueued_requests()) == ("yet" in expected_text)
    assert inbox(redis, AT + ABANDONED_AFTER + 1).abandoned() == []


def test_a_record_that_redis_does_not_take_just_now_is_not_a_broken_one(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Redis, "eval", failing(OutOfMemoryError("no")))
    with pytest.raises(OutOfMemoryError):
        AuditLog(redis).append(AuditFact("1", "asked", IDS["alice"]))


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


def mentioned(taken_in: DeliveryReceiver) -> int:
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
    monkeypatch.setattr(DeliveryReceiver, "handle", lambda self, delivery: None)
    assert mentioned(reception(redis, BotHarness(redis, ALL), Slack())) == 200
    (remaining,) = inbox(redis, time.time() + ABANDONED_AFTER + 1).abandoned()
    assert (remaining.delivery_id, remaining.user, remaining.text) == ("Ev1", IDS["alice"], "<@U0IMKER> nodes")


def test_a_mention_that_could_not_be_written_down_is_refused_and_not_asked_for_again(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, slack = BotHarness(redis, ALL), Slack()

    def away(self: Inbox, delivery: Delivery) -> None:
        raise NoConnection("away")

    monkeypatch.setattr(Inbox, "add", away)
    assert mentioned(reception(redis, bench, slack)) == 200
    assert "Not started: Redis is not responding" in slack.replies[0]["text"]
    assert bench.enqueued_requests() == {}
