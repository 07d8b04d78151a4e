"""`python -m bot.reporter`: keeps each run's one message true. The only writer of messages in channels.

Level-triggered: it folds all that is known of a run, renders, and edits the message when that differs from what it
posted last. It has no cursor to lose, and may be killed at any time. A doorbell wakes it, and a tick.
"""

import hashlib
import json
import signal
import sys
import threading
import time
import uuid
from collections.abc import Callable
from functools import partial
from http.client import HTTPException
from typing import Any

import structlog
from redis import Redis
from redis.exceptions import RedisError
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler, ServerErrorRetryHandler
from slack_sdk.webhook import WebhookClient

from bot import blocks, fleet_blocks, settings
from bot.fleet import FleetView, next_legs, state, steered
from bot.kit import Message
from bot.progress import RunView
from bot.report import report
from bot.runs import Forged, Runs
from bot.thread import payload, replies
from bot.witness import Witness
from imker import audit, broker, log, signing
from imker.audit import Audit
from imker.config import ConfigError
from jobs.contract import BELL

TICK, APART = 1.5, 1.5  # seconds between looks; seconds between two edits of one message
HEALED = 5.0  # seconds after which a record without a job is enqueued again
LEASE = 10  # seconds that one reporter stays the only one
GONE = ("message_not_found", "cant_update_message")
SHUT_OUT = ("not_in_channel", "channel_not_found", "is_archived")
METADATA = "imker_run"

logger = structlog.get_logger()


class Reporter:
    """`clock`: UNIX seconds."""

    def __init__(self, runs: Runs, client: WebClient, witness: Witness, clock: Callable[[], float] = time.time) -> None:
        self._runs = runs
        self._witness = witness
        self._client = client
        self._clock = clock
        self._edited: dict[str, float] = {}

    def look(self) -> None:
        """Every open run once. What Slack refuses for one run keeps none of the others waiting."""
        for run in self._runs.open_runs():
            self._trying(partial(self._report, run), run)
        self._trying(self._witness.daily, "")

    def _trying(self, work: Callable[[], None], run: str) -> None:
        try:
            work()
        except (SlackClientError, OSError, HTTPException, Forged) as failed:
            logger.warning("could not report", run=run, error=str(failed))

    def _report(self, run: str) -> None:
        record = self._runs.record(run)
        if record is None:
            return self._runs.close(run)
        if (
            not self._runs.has_job(record)
            and self._clock() - record.asked_at > HEALED
            and not self._told(run, record.jobs)
        ):
            self._runs.enqueue(record)
        view = self._runs.view(record)
        fleet = self._runs.fleet(view)
        if fleet:
            self._conduct(fleet)
        message = fleet_blocks.render(fleet) if fleet else blocks.render(view)
        over = (state(fleet) == "over") if fleet else view.state in ("over", "lost") or view.expired
        if self._show(view, message, over) and self._details(view) and over and self._reported(view, fleet):
            self._witness.accepted(view, self._runs.posted(run))
            self._runs.close(run)
        return None

    def _conduct(self, fleet: FleetView) -> None:
        """Begins what may begin: whoever looks next begins the same, and RQ takes each but once."""
        for leg in next_legs(fleet):
            self._runs.start_leg(fleet, leg, self._clock())
        for view, decision in steered(fleet):
            self._runs.decide(view.record, decision)

    def _reported(self, view: RunView, fleet: FleetView | None) -> bool:
        """A fleet's report, as a file in the thread, once."""
        run, posted = view.record.run, self._runs.posted(view.record.run)
        if fleet is None or fleet.start is None or "report" in posted or not posted.get("ts"):
            return True
        name = f"imker-{run}.md"
        if "report tried" not in posted or not self._has_file(posted, name):
            self._runs.remember(run, **{"report tried": "1"})
            self._client.files_upload_v2(
                content=report(fleet), filename=name, title=name, channel=posted["channel"], thread_ts=posted["ts"]
            )
        self._runs.remember(run, report="1")
        return True

    def _has_file(self, posted: dict[str, str], name: str) -> bool:
        """Whether an upload whose reply was lost was heard."""
        files = (file for reply in replies(self._client, posted) for file in reply.get("files") or [])
        return any(file.get("name") == name for file in files)

    def _told(self, run: str, job: int) -> bool:
        return any(event.job == job for event in self._runs.events(run))

    def _show(self, view: RunView, message: Message, over: bool) -> bool:
        """Whether the message is as it should be. The last state does not wait its turn."""
        run = view.record.run
        digest = hashlib.sha256(json.dumps([message.text, message.blocks]).encode()).hexdigest()
        posted = self._runs.posted(run)
        if posted.get("digest") == digest:
            return True
        if not over and self._clock() - self._edited.get(run, 0) < APART:
            return False
        self._edited[run] = self._clock()
        if "ts" not in posted:
            return self._post(view, message, digest, tried="tried" in posted)
        return self._edit(view, message, digest, posted)

    def _post(self, view: RunView, message: Message, digest: str, *, tried: bool) -> bool:
        """Noted before the first try: whoever comes after a failure cannot know whether that try was heard."""
        run, channel = view.record.run, view.record.channel
        try:
            ts = self._found(channel, run, view.record.asked_at) if tried else ""
            if ts:  # it was heard, and says what was true then
                self._runs.remember(run, ts=ts, channel=channel)
                return self._edit(view, message, digest, {"ts": ts, "channel": channel})
            self._runs.remember(run, tried="1")
            ts = self._posted(channel, run, message)
        except SlackApiError as refused:
            if refused.response["error"] not in SHUT_OUT:
                raise
            self._privately(run, message)
            self._runs.remember(run, digest=digest, ts="", channel=channel)
            return True
        self._runs.remember(run, digest=digest, ts=ts, channel=channel)
        return True

    def _posted(self, channel: str, run: str, message: Message) -> str:
        metadata: dict[str, Any] = {"event_type": METADATA, "event_payload": {"run": run}}
        reply = self._client.chat_postMessage(
            channel=channel, text=message.text, blocks=list(message.blocks), metadata=metadata, unfurl_links=False
        )
        return str(reply["ts"])

    def _found(self, channel: str, run: str, since: float) -> str:
        """A message of this run that was posted although its reply was lost, "" if there is none."""
        history = self._client.conversations_history(
            channel=channel, oldest=str(since - 60), include_all_metadata=True, limit=200
        )
        for message in history["messages"]:
            if payload(message, METADATA).get("run") == run:
                return str(message["ts"])
        return ""

    def _edit(self, view: RunView, message: Message, digest: str, posted: dict[str, str]) -> bool:
        run = view.record.run
        if not posted["ts"]:
            self._runs.remember(run, digest=digest)
            return True
        try:
            self._client.chat_update(
                channel=posted["channel"], ts=posted["ts"], text=message.text, blocks=list(message.blocks)
            )
        except SlackApiError as refused:
            if refused.response["error"] in GONE:
                self._runs.forget_message(run)
                return False
            if refused.response["error"] not in SHUT_OUT:
                raise
        self._runs.remember(run, digest=digest)
        return True

    def _details(self, view: RunView) -> bool:
        """Each once, in the message's thread."""
        posted = self._runs.posted(view.record.run)
        for key, shown in view.details:
            if f"detail:{key}" in posted or not posted.get("ts"):
                continue
            if f"tried:{key}" not in posted or not self._heard(posted, key):
                self._runs.remember(view.record.run, **{f"tried:{key}": "1"})
                self._reply(posted, key, blocks.detail(shown))
            self._runs.remember(view.record.run, **{f"detail:{key}": "1"})
        return True

    def _reply(self, posted: dict[str, str], key: str, reply: Message) -> None:
        metadata: dict[str, Any] = {"event_type": METADATA, "event_payload": {"detail": key}}
        self._client.chat_postMessage(
            channel=posted["channel"],
            thread_ts=posted["ts"],
            text=reply.text,
            blocks=list(reply.blocks),
            metadata=metadata,
        )

    def _heard(self, posted: dict[str, str], key: str) -> bool:
        """Whether a detail is in the thread although its post's reply was lost."""
        return any(payload(reply, METADATA).get("detail") == key for reply in replies(self._client, posted))

    def _privately(self, run: str, message: Message) -> None:
        """The channel does not take messages: at least the asker hears."""
        url = self._runs.answer_url(run)
        if url:
            lead = "I may not write into this channel; invite me. The run goes on, and /swarm status shows it.\n"
            WebhookClient(url).send(text=lead + message.text, response_type="ephemeral")


def serve(reporter: Reporter, redis: "Redis", over: threading.Event) -> None:
    """One reporter at a time looks; a second stands by, and takes over when the first is gone."""
    me, bell = uuid.uuid4().hex, redis.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
    bell.subscribe(BELL)
    while not over.is_set():
        try:
            if _leads(redis, me):
                reporter.look()
            _await(bell)
        except RedisError as failed:
            logger.warning("Redis does not answer", error=str(failed))
            over.wait(TICK)
    _step_down(redis, me)


def _await(bell: Any) -> None:
    """Until the bell rings, or a tick; all rings since count as one."""
    if bell.get_message(timeout=TICK):
        while bell.get_message(timeout=0):
            pass


def _leads(redis: "Redis", me: str) -> bool:
    if redis.set("bot:reporter", me, nx=True, ex=LEASE):
        return True
    holder = redis.get("bot:reporter")
    if holder == me.encode():
        redis.expire("bot:reporter", LEASE)
        return True
    return False


def _step_down(redis: "Redis", me: str) -> None:
    if redis.get("bot:reporter") == me.encode():
        redis.delete("bot:reporter")


def main() -> int:
    log.set_up()
    try:
        loaded = settings.load()
        redis = broker.connect(loaded.redis_url)
        key = signing.load()
    except (ConfigError, broker.NoRedis) as wrong:
        print(wrong, file=sys.stderr)
        return 2
    # Without the SDK's own handler for lost connections: it would post again what was heard.
    handlers = [RateLimitErrorRetryHandler(max_retry_count=2), ServerErrorRetryHandler(max_retry_count=2)]
    token = loaded.bot_token.get_secret_value()
    client = WebClient(token=token, base_url=loaded.api_url, retry_handlers=handlers)
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    signal.signal(signal.SIGINT, lambda *_: over.set())
    runs = Runs(redis, time.time, key)
    witness = Witness(client, Audit(redis, audit.key()), runs, next(iter(loaded.channels), ""))
    serve(Reporter(runs, client, witness), redis, over)
    return 0


if __name__ == "__main__":
    sys.exit(main())
