"""A command that a bot acknowledged before it crashed is found and handled once."""

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
from bot.listeners.forms import FormListener
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
COMMAND = Delivery("command", "trigger.1", IDS["alice"], "C01OPS", "migrate kaditz", "", AT)


class Slack:
    """A Slack client that records private replies."""

    def __init__(self) -> None:
        self.replies: list[dict[str, Any]] = []

    def chat_postEphemeral(self, **arguments: Any) -> None:
        self.replies.append(arguments)


def inbox(redis: Redis, now: float, key: str = "x" * 64) -> Inbox:
    return Inbox(redis, SigningKey(key), lambda: now)


def receiver_for(
    redis: Redis, bench: BotHarness, slack: Slack, now: float = AT + ABANDONED_AFTER + 1
) -> DeliveryReceiver:
    return DeliveryReceiver(bench.handler, inbox(redis, now), slack, RateLimiter(1000))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("later", "remaining"), [(ABANDONED_AFTER - 1, []), (ABANDONED_AFTER + 1, [COMMAND]), (-3600.0, [COMMAND])]
)
def test_skips_deliveries_that_a_bot_may_still_be_handling(
    redis: Redis, later: float, remaining: list[Delivery]
) -> None:
    inbox(redis, AT).add(COMMAND)
    assert inbox(redis, AT + later).abandoned() == remaining
    assert 0 < redis.ttl(f"{INBOX_KEY}:{COMMAND.delivery_id}") <= RETENTION


def test_removes_handled_and_unsigned_deliveries(redis: Redis) -> None:
    saved = inbox(redis, AT + ABANDONED_AFTER + 1)
    saved.add(COMMAND)
    saved.remove(COMMAND)
    inbox(redis, AT, key="y" * 64).add(replace(COMMAND, delivery_id="trigger.2"))
    assert saved.abandoned() == []
    assert redis.smembers(INBOX_KEY) == set()


def test_a_command_of_a_crashed_bot_starts_one_run(redis: Redis) -> None:
    bench, slack = BotHarness(redis, ALL), Slack()
    inbox(redis, AT).add(COMMAND)
    for _ in range(2):
        receiver_for(redis, bench, slack).recover_abandoned()
    (request,) = bench.enqueued_requests().values()
    assert (request.command.type, request.requester) == ("migrate", IDS["alice"])
    assert slack.replies == []


def test_a_refusal_of_a_crashed_bot_still_reaches_only_the_requester(redis: Redis) -> None:
    bench, slack = BotHarness(redis, ALL), Slack()
    inbox(redis, AT).add(replace(COMMAND, text="migrate nowhere-near"))
    receiver_for(redis, bench, slack).recover_abandoned()
    (reply,) = slack.replies
    assert (reply["user"], reply["channel"]) == (IDS["alice"], "C01OPS")
    assert "no host nowhere-near" in reply["text"]
    assert bench.enqueued_requests() == {}


@pytest.mark.parametrize(
    ("delivery", "subject"),
    [
        (replace(COMMAND, response_url="https://hooks.slack.com/answer"), "`/swarm migrate kaditz`"),
        (replace(COMMAND, kind="click", choice="accept", text="1-1"), "Your click"),
    ],
)
def test_an_expired_delivery_is_not_started_and_the_requester_is_notified_once(
    redis: Redis, delivery: Delivery, subject: str
) -> None:
    """Its response_url has expired."""
    bench, slack = BotHarness(redis, ALL), Slack()
    inbox(redis, AT).add(delivery)
    for _ in range(2):
        receiver_for(redis, bench, slack, AT + EXPIRES_AFTER + 1).recover_abandoned()
    (reply,) = slack.replies
    assert reply["text"].startswith(f"{subject} expired because the bot was down")
    assert (reply["user"], reply["channel"]) == (IDS["alice"], "C01OPS")
    assert bench.enqueued_requests() == {}
    assert redis.smembers(INBOX_KEY) == set()


@pytest.mark.parametrize(("incoming", "says"), [(COMMAND, "not saved yet"), (replace(COMMAND, kind="click"), "")])
def test_an_early_acknowledgement_says_that_the_command_is_not_saved(
    redis: Redis, monkeypatch: pytest.MonkeyPatch, incoming: Delivery, says: str
) -> None:
    """A bot that crashes at this moment has lost the command."""
    acks: list[str] = []
    monkeypatch.setattr("bot.listeners.receiver.ACK_DEADLINE", 0.01)
    monkeypatch.setattr(Inbox, "add", lambda self, delivery: time.sleep(0.2))
    monkeypatch.setattr(DeliveryReceiver, "handle", lambda self, delivery: None)
    receiver_for(redis, BotHarness(redis, ALL), Slack()).receive(incoming, lambda text="": acks.append(text))  # type: ignore[arg-type]
    first, _ = acks
    assert says in first


def test_acknowledges_and_refuses_a_command_while_redis_is_down(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    bench, slack, acks = BotHarness(redis, ALL), Slack(), []

    def away(self: Inbox, delivery: Delivery) -> None:
        raise NoConnection("away")

    monkeypatch.setattr(Inbox, "add", away)
    receiver_for(redis, bench, slack).receive(COMMAND, lambda: acks.append(1))  # type: ignore[arg-type]
    assert acks
    assert "Not started: Redis is not responding" in slack.replies[0]["text"]
    assert bench.enqueued_requests() == {}


REFUSALS: list[tuple[RedisError, str, str]] = [  # error; reply if the command was not saved; reply if it was
    (
        NoConnection("away"),
        "Not started: Redis is not responding. If Redis saved the command",
        "Not started yet: Redis is not",
    ),
    (OutOfMemoryError("no"), "Not started: Redis is full: it has reached maxmemory", "Not started yet: Redis is full"),
    (ReadOnlyError("no"), "Not started: Redis is read-only", "Not started yet: Redis is read-only"),
    (
        ResponseError("MISCONF Errors"),
        "Not started: Redis cannot write to its disk",
        "Not started yet: Redis cannot write",
    ),
    (ResponseError("NOREPLICAS Not"), "Not started: Redis has too few replicas", "Not started yet: Redis has too few"),
    (
        ResponseError("ERR odd"),
        "Not started: Redis rejected the command; details are in the bot log",
        "Not done: Redis rejected the command; details are in the bot log",
    ),
]


@pytest.mark.parametrize(("error", "expected_text", "_"), REFUSALS, ids=lambda case: str(case)[:40])
def test_names_the_reason_why_a_command_was_not_saved(
    redis: Redis, monkeypatch: pytest.MonkeyPatch, error: RedisError, expected_text: str, _: str
) -> None:
    slack = Slack()
    monkeypatch.setattr(Inbox, "add", failing(error))
    receiver_for(redis, BotHarness(redis, ALL), slack).receive(COMMAND, lambda: None)  # type: ignore[arg-type]
    assert [expected_text in answer["text"] for answer in slack.replies] == [True]


def test_acknowledges_before_anything_else_runs(redis: Redis) -> None:
    bench, acks, later = BotHarness(redis, ALL), list[str](), list[Any]()
    saved, limit = inbox(redis, AT + ABANDONED_AFTER + 1), RateLimiter(1000)
    receiver = DeliveryReceiver(bench.handler, saved, Slack(), limit, run=later.append)  # type: ignore[arg-type]
    receiver.receive(COMMAND, lambda: acks.append("acknowledged"))  # type: ignore[arg-type]
    assert acks == ["acknowledged"]
    assert (bench.enqueued_requests(), saved.abandoned()) == ({}, [COMMAND])
    receiver.recover_abandoned()  # it is not abandoned: this bot has yet to handle it
    assert bench.enqueued_requests() == {}
    (work,) = later
    work()
    assert (len(bench.enqueued_requests()), saved.abandoned()) == (1, [])


@pytest.mark.parametrize(("error", "_", "expected_text"), REFUSALS, ids=lambda case: str(case)[:40])
def test_a_saved_command_starts_once_when_redis_recovers(
    redis: Redis, monkeypatch: pytest.MonkeyPatch, error: RedisError, _: str, expected_text: str
) -> None:
    bench, slack = BotHarness(redis, ALL), Slack()
    receiver = receiver_for(redis, bench, slack)
    with monkeypatch.context() as patch:
        patch.setattr(RunStore, "start", failing(error))
        receiver.receive(COMMAND, lambda: None)  # type: ignore[arg-type]
        for _again in range(3):
            receiver.recover_abandoned()
    assert [expected_text in answer["text"] for answer in slack.replies] == [True], "there is one reply"
    for _again in range(3):
        receiver.recover_abandoned()
    assert len(bench.enqueued_requests()) == ("yet" in expected_text)
    assert inbox(redis, AT + ABANDONED_AFTER + 1).abandoned() == []


def test_a_full_redis_is_not_reported_as_a_broken_audit_log(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Redis, "eval", failing(OutOfMemoryError("no")))
    with pytest.raises(OutOfMemoryError):
        AuditLog(redis).append(AuditFact("1", "asked", IDS["alice"]))


def failing(error: RedisError) -> Any:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    return fail


MENTION = {
    "type": "event_callback",
    "team_id": "T01",
    "event_id": "Ev1",
    "event": {"type": "app_mention", "user": IDS["alice"], "channel": "C01OPS", "text": "<@U0IMKER> nodes"},
}


def dispatch_mention(receiver: DeliveryReceiver) -> int:
    """Return Bolt's response to Slack, which is the acknowledgement."""
    app = App(
        client=WebClient(token="xoxb-lab", base_url="http://127.0.0.1:9/"),
        authorize=lambda: AuthorizeResult(enterprise_id=None, team_id="T01", bot_token="xoxb-lab"),
        token_verification_enabled=False,
        request_verification_enabled=False,
    )
    forms = FormListener(receiver, receiver._handler, None, app.client)  # type: ignore[arg-type]
    register(app, receiver, forms)
    return app.dispatch(BoltRequest(body=json.dumps(MENTION), mode="socket_mode")).status


def test_saves_a_mention_before_acknowledging_it(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bolt acknowledges an event before it calls the listener; here the bot crashes in between."""
    monkeypatch.setattr(DeliveryReceiver, "handle", lambda self, delivery: None)
    assert dispatch_mention(receiver_for(redis, BotHarness(redis, ALL), Slack())) == 200
    (remaining,) = inbox(redis, time.time() + ABANDONED_AFTER + 1).abandoned()
    assert (remaining.delivery_id, remaining.user, remaining.text) == ("Ev1", IDS["alice"], "<@U0IMKER> nodes")


def test_refuses_and_acknowledges_a_mention_that_cannot_be_saved(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    bench, slack = BotHarness(redis, ALL), Slack()

    def away(self: Inbox, delivery: Delivery) -> None:
        raise NoConnection("away")

    monkeypatch.setattr(Inbox, "add", away)
    assert dispatch_mention(receiver_for(redis, bench, slack)) == 200
    assert "Not started: Redis is not responding" in slack.replies[0]["text"]
    assert bench.enqueued_requests() == {}
