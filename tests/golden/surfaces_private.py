"""What the bot replies when it cannot do something now, and to commands that steer a run. Text per surface."""

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import OutOfMemoryError, ReadOnlyError, RedisError, ResponseError
from slack_sdk import WebClient

from bot import answers, blocks, reception
from bot.decisions import Forged
from bot.inbox import LATE, LEFT, Delivery, Inbox
from bot.limit import Limit
from bot.messages import Messages
from imker import signing
from imker.audit import RecordBroken
from jobs.contract import Candidate, Quorum, Waiting
from tests.bot.desk import IDS, KEY, NODE, Bench
from tests.golden.page import message, page, section
from tests.golden.people import AT, bench, plain, replies, reply


class Ephemeral:
    """Keep what is posted to one person alone."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def chat_postEphemeral(self, *, text: str, blocks: Any, **_: Any) -> None:
        self.said.append(message(text, blocks))


class Failing(Inbox):
    """An inbox that cannot take anything."""

    def __init__(self, made: Bench, failed: Exception) -> None:
        super().__init__(made.redis, KEY, lambda: AT)
        self._failed = failed

    def take(self, delivery: Delivery) -> None:
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
            Forged("bot:run:abc:decision:1 was not written by Imker"),
            RecordBroken("no"),
        )
    ]
    late = [_late(redis, ASKED), _late(redis, replace(ASKED, kind="click", verdict="accept", text="abc:1"))]
    slow = section("not saved within 2 s", f"  {reception.UNSURE}")
    often = _received(redis, "more than 30 in a minute", before=30)
    full = section("500 runs are open", *plain(answers.too_many(500)))
    shut = _shut_out(redis)
    return page(often, full, slow, shut, *outages, *broken, *late, *_steering(redis), *_deciding(redis))


def _shut_out(redis: Redis) -> str:
    """The reply where the bot may not write into the channel."""
    made, sent = bench(redis), list[str]()
    run = made.run("running")
    place = f"bot:run:{run}:answer"
    redis.set(place, signing.seal(KEY, place, "https://hooks.slack.com/commands/answer"))
    record = made.runs.record(run)
    assert record is not None
    with pytest.MonkeyPatch.context() as patch:
        send = SimpleNamespace(send=lambda text, **_: sent.append(text))
        patch.setattr("bot.messages.WebhookClient", lambda _: send)
        view = made.runs.view(record)
        Messages(made.runs, WebClient()).privately(view, blocks.render(view), over=False)
    return section(
        "the bot may not write into the channel", *(f"  {line}" for text in sent for line in text.splitlines())
    )


def _outage(redis: Redis, failed: RedisError) -> Iterator[str]:
    yield _received(redis, f"not saved: {type(failed).__name__} {failed}", takes=failed)
    yield _received(redis, f"saved, not handled: {type(failed).__name__} {failed}", fails=failed)


def _received(
    redis: Redis, title: str, *, takes: Exception | None = None, fails: Exception | None = None, before: int = 0
) -> str:
    made, slack = bench(redis), Ephemeral()
    box = Failing(made, takes) if takes else Inbox(made.redis, KEY, lambda: AT)
    if fails:
        made.desk.command = _raising(fails)  # type: ignore[method-assign]
    limit = Limit(30)
    for _ in range(before):
        limit.judge(ASKED.user)
    reception.Reception(made.desk, box, slack, limit).receive(ASKED, lambda *_: None)  # type: ignore[arg-type]
    return section(title, *(slack.said or ["(no private reply)"]))


def _raising(failed: Exception) -> Any:
    def fail(*_: Any) -> None:
        raise failed

    return fail


def _late(redis: Redis, asked: Delivery) -> str:
    made, slack = bench(redis), Ephemeral()
    Inbox(made.redis, KEY, lambda: AT).take(asked)
    box = Inbox(made.redis, KEY, lambda: AT + LATE + LEFT)
    reception.Reception(made.desk, box, slack, Limit(1000)).catch_up()  # type: ignore[arg-type]
    return section(f"found again too late: {asked.kind}", *slack.said)


def _steering(redis: Redis) -> Iterator[str]:
    for what in ("pause", "cancel", "resume", "retry"):
        made = bench(redis)
        for state in ("running", "over", "warned", "fleet"):
            run = made.run(state)
            yield reply(made, f"alice: /swarm {what} RUN, {state}", "types", "alice", f"{what} {run}")
        yield reply(made, f"alice: /swarm {what} of an unknown run", "types", "alice", f"{what} unknown")
        if what in ("pause", "resume"):
            made.run("graces-running")
            yield reply(made, f"alice: /swarm {what}, which is not clear", "types", "alice", what)
    made = bench(redis)
    run = made.run("fleet")
    yield reply(made, "alice starts the fleet", "clicks", "alice", f"{run}:1", "start")
    for what in ("resume", "pause", "pause", "resume", "cancel", "cancel"):
        yield reply(made, f"alice: /swarm {what} of the fleet", "types", "alice", f"{what} {run}")


def _deciding(redis: Redis) -> Iterator[str]:
    made = bench(redis)
    yield from replies(
        made, ("alice", f"accept {NODE[:12]}"), ("alice", "continue k3fm9x2q"), ("alice", "migrate kaditz")
    )
    made.run("pending")
    other = Waiting(
        "accept", "f00d", Candidate("tondi", NODE[:4] + "zz", "198.18.0.40", "tondi", "26"), Quorum(1, 0, 2, 0)
    )
    extra = made.run("running")
    made.tell(extra, other, job=1)
    yield from replies(made, ("alice", f"accept {NODE[:4]}"))
