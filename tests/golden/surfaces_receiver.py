"""Format the replies of the bot when it cannot act now, and to commands that control a run."""

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import OutOfMemoryError, ReadOnlyError, RedisError, ResponseError
from slack_sdk import WebClient

from bot.handlers.delivery import Delivery
from bot.listeners import receiver
from bot.listeners.inbox import ABANDONED_AFTER, EXPIRES_AFTER, Inbox
from bot.listeners.rate_limit import RateLimiter
from bot.messages.replies import responses
from bot.messages.runs import run_message
from bot.reconciler.publisher import Publisher
from bot.runs.decisions import TamperedRecord
from imker import signing
from imker.audit_log import AuditLogBroken
from imker.protocol.events import DecisionRequested
from imker.protocol.values import Candidate, Quorum
from tests.golden.private_replies import AT, create_harness, plain, replies, reply
from tests.golden.text_layout import message, page, section
from tests.support.bot_harness import IDS, KEY, NODE, BotHarness


class Ephemeral:
    """Records ephemeral messages."""

    def __init__(self) -> None:
        self.replies: list[str] = []

    def chat_postEphemeral(self, *, text: str, blocks: Any, **_: Any) -> None:
        self.replies.append(message(text, blocks))


class Failing(Inbox):
    """An inbox that cannot save anything."""

    def __init__(self, harness: BotHarness, failed: Exception) -> None:
        super().__init__(harness.redis, KEY, lambda: AT)
        self._failed = failed

    def add(self, delivery: Delivery) -> None:
        raise self._failed


OUTAGES: tuple[RedisError, ...] = (
    NoConnection("away"), OutOfMemoryError("no"), ReadOnlyError("no"), ResponseError("MISCONF Errors"),
    ResponseError("NOREPLICAS Not"), ResponseError("ERR odd"),
)  # fmt: skip
ASKED = Delivery("command", "trigger.1", IDS["alice"], "C01OPS", "migrate kaditz", "", AT)


def private_replies(redis: Redis) -> str:
    outages = [line for failed in OUTAGES for line in _outage(redis, failed)]
    broken = [
        _received(redis, f"the bot fails with {type(failed).__name__}", fails=failed)
        for failed in (
            RuntimeError("no"),
            TamperedRecord("bot:run:abc:decision:1 has an invalid signature"),
            AuditLogBroken("no"),
        )
    ]
    late = [_late(redis, ASKED), _late(redis, replace(ASKED, kind="click", choice="accept", text="abc:1"))]
    slow = section("not saved within 2 s", f"  {receiver.NOT_SAVED_YET}")
    often = _received(redis, "more than 30 in a minute", before=30)
    full = section("500 runs are open", *plain(responses.too_many_runs(500)))
    shut = _shut_out(redis)
    return page(often, full, slow, shut, *outages, *broken, *late, *_steering(redis), *_deciding(redis))


def _shut_out(redis: Redis) -> str:
    """Return the reply where the bot may not post in the channel."""
    harness, sent = create_harness(redis), list[str]()
    run = harness.create_run("running")
    place = f"bot:run:{run}:answer"
    redis.set(place, signing.sign_for(KEY, place, "https://hooks.slack.com/commands/answer"))
    snapshot = harness.runs.snapshot(run)
    assert snapshot is not None
    with pytest.MonkeyPatch.context() as patch:
        send = SimpleNamespace(send=lambda text, **_: sent.append(text))
        patch.setattr("bot.reconciler.publisher.WebhookClient", lambda _, **__: send)
        view, fields = snapshot.state, harness.runs.posted_messages.get(run)
        Publisher(harness.runs, WebClient()).notify_requester(view, run_message.render(view), False, fields)
    return section(
        "the bot may not write into the channel", *(f"  {line}" for text in sent for line in text.splitlines())
    )


def _outage(redis: Redis, failed: RedisError) -> Iterator[str]:
    yield _received(redis, f"not saved: {type(failed).__name__} {failed}", takes=failed)
    yield _received(redis, f"saved, not handled: {type(failed).__name__} {failed}", fails=failed)


def _received(
    redis: Redis, title: str, *, takes: Exception | None = None, fails: Exception | None = None, before: int = 0
) -> str:
    harness, slack = create_harness(redis), Ephemeral()
    box = Failing(harness, takes) if takes else Inbox(harness.redis, KEY, lambda: AT)
    if fails:
        harness.handler.handle_command = _raising(fails)  # type: ignore[method-assign]
    limit = RateLimiter(30)
    for _ in range(before):
        limit.check(ASKED.user)
    receiver.DeliveryReceiver(harness.handler, box, slack, limit).receive(ASKED, lambda *_: None)  # type: ignore[arg-type]
    return section(title, *(slack.replies or ["(no private reply)"]))


def _raising(failed: Exception) -> Any:
    def fail(*_: Any) -> None:
        raise failed

    return fail


def _late(redis: Redis, delivery: Delivery) -> str:
    harness, slack = create_harness(redis), Ephemeral()
    Inbox(harness.redis, KEY, lambda: AT).add(delivery)
    box = Inbox(harness.redis, KEY, lambda: AT + EXPIRES_AFTER + ABANDONED_AFTER)
    receiver.DeliveryReceiver(harness.handler, box, slack, RateLimiter(1000)).recover_abandoned()  # type: ignore[arg-type]
    return section(f"found again too late: {delivery.kind}", *slack.replies)


def _steering(redis: Redis) -> Iterator[str]:
    for what in ("pause", "cancel", "resume", "retry"):
        harness = create_harness(redis)
        for state in ("running", "over", "warned", "fleet"):
            run = harness.create_run(state)
            yield reply(harness, f"alice: /swarm {what} RUN, {state}", "types", "alice", f"{what} {run}")
        yield reply(harness, f"alice: /swarm {what} of an unknown run", "types", "alice", f"{what} unknown")
        if what in ("pause", "resume"):
            harness.create_run("graces-running")
            yield reply(harness, f"alice: /swarm {what}, which is not clear", "types", "alice", what)
    harness = create_harness(redis)
    run = harness.create_run("fleet")
    yield reply(harness, "alice starts the fleet", "clicks", "alice", f"{run}:1", "start")
    for what in ("resume", "pause", "pause", "resume", "cancel", "cancel"):
        yield reply(harness, f"alice: /swarm {what} of the fleet", "types", "alice", f"{what} {run}")


def _deciding(redis: Redis) -> Iterator[str]:
    harness = create_harness(redis)
    yield from replies(
        harness, ("alice", f"accept {NODE[:12]}"), ("alice", "continue k3fm9x2q"), ("alice", "migrate kaditz")
    )
    harness.create_run("pending")
    other = DecisionRequested(
        "accept", "f00d", Candidate("tondi", NODE[:4] + "zz", "198.18.0.40", "tondi", "26"), Quorum(1, 0, 2, 0)
    )
    extra = harness.create_run("running")
    harness.emit(extra, other, job=1)
    yield from replies(harness, ("alice", f"accept {NODE[:4]}"))
