"""A run's one message, its thread's replies and the report's file, each in Slack once: the only writer in channels."""

import hashlib
import json
import time
from collections.abc import Callable

import structlog
from slack_sdk import WebClient
from slack_sdk.webhook import WebhookClient

from bot import blocks
from bot.fleet import FleetView
from bot.kit import Message
from bot.progress import RunView
from bot.report import report as written
from bot.runs import Runs
from bot.thread import history, payload, post, replies
from imker.fault import fault

log = structlog.get_logger()
APART = 1.5  # seconds between two edits of one message
AHEAD = 3600  # seconds that the bot's clock may be ahead of Slack's
METADATA = "imker_run"


class Messages:
    """Raises what the client raises; a look later tries again. `clock`: seconds, monotonic."""

    def __init__(self, runs: Runs, client: WebClient, clock: Callable[[], float] = time.monotonic) -> None:
        self._runs = runs
        self._posted = runs.posted
        self._client = client
        self._clock = clock
        self._edited: dict[str, float] = {}

    def show(self, view: RunView, message: Message, over: bool) -> bool:
        """Whether the message is as it should be. The last state does not wait its turn."""
        run = view.record.run
        digest = hashlib.sha256(json.dumps([message.text, message.blocks]).encode()).hexdigest()
        posted = self._posted.of(run)
        if posted.get("digest") == digest:
            return True
        if not over and self._clock() - self._edited.get(run, 0) < APART:
            return False
        self._edited[run] = self._clock()
        if "ts" not in posted:
            self._post(view, message, digest, tried="tried" in posted)
        else:
            self._edit(run, message, digest, posted)
        return True

    def _post(self, view: RunView, message: Message, digest: str, *, tried: bool) -> None:
        """Noted before the first try: whoever comes after a failure cannot know whether that try was heard."""
        run, channel = view.record.run, view.record.channel
        ts = self._found(channel, run, view.record.asked_at) if tried else ""
        if ts:  # it was heard, and says what was true then
            self._posted.remember(run, ts=ts, channel=channel)
            return self._edit(run, message, digest, {"ts": ts, "channel": channel})
        self._posted.remember(run, tried="1")
        fault("message.tried")
        ts = self._sent(channel, run, message)
        fault("message.posted")
        self._posted.remember(run, ts=ts, channel=channel, digest=digest)
        return None

    def _sent(self, channel: str, run: str, message: Message) -> str:
        return post(self._client, channel, message, METADATA, {"run": run}, unfurl_links=False)

    def _found(self, channel: str, run: str, since: float) -> str:
        """A message of this run that was posted although its reply was lost, "" if there is none."""
        posted = history(self._client, channel, since - AHEAD)
        return next((str(one["ts"]) for one in posted if payload(one, METADATA).get("run") == run), "")

    def _edit(self, run: str, message: Message, digest: str, posted: dict[str, str]) -> None:
        self._update(posted["channel"], posted["ts"], message)
        fault("message.edited")
        self._posted.remember(run, digest=digest)

    def _update(self, channel: str, ts: str, message: Message) -> None:
        self._client.chat_update(channel=channel, ts=ts, text=message.text, blocks=list(message.blocks))

    def details(self, view: RunView) -> None:
        """Each once, in the message's thread."""
        posted = self._posted.of(view.record.run)
        for key, shown in view.details:
            if f"detail:{key}" in posted or not posted.get("ts"):
                continue
            if f"tried:{key}" not in posted or not self._heard(posted, key):
                self._posted.remember(view.record.run, **{f"tried:{key}": "1"})
                said, thread = {"detail": key}, posted["ts"]
                post(self._client, posted["channel"], blocks.detail(shown), METADATA, said, thread_ts=thread)
                fault("reply.posted")
            self._posted.remember(view.record.run, **{f"detail:{key}": "1"})

    def _heard(self, posted: dict[str, str], key: str) -> bool:
        """Whether a detail is in the thread although its post's reply was lost."""
        return any(payload(reply, METADATA).get("detail") == key for reply in replies(self._client, posted))

    def privately(self, view: RunView, message: Message, over: bool) -> None:
        """To the asker alone, where the channel takes no messages: when that is first found out, and at the end."""
        run, when = view.record.run, "end" if over else "first"
        url, told = self._runs.answer_url(run), self._posted.of(run).get("privately")
        if told in (when, "end"):
            return
        self._posted.remember(run, privately=when)
        log.warning("the channel takes no messages", run=run, channel=view.record.channel, says=message.text)
        if url:
            lead = "I may not write into this channel; invite me. The run goes on, and /swarm status shows it.\n"
            WebhookClient(url).send(text=lead + message.text, response_type="ephemeral")

    def forgotten(self, view: RunView, posted: dict[str, str]) -> None:
        """Says of a run that Redis has lost that it did. `posted`: where its message stood, if there was one."""
        message, channel = blocks.forgotten(view), view.record.channel
        if posted.get("ts"):
            self._update(channel, posted["ts"], message)
        else:
            self._sent(channel, view.record.run, message)

    def report(self, fleet: FleetView) -> None:
        """As a file in the thread, once."""
        run = fleet.view.record.run
        posted = self._posted.of(run)
        if fleet.start is None or "report" in posted or not posted.get("ts"):
            return
        name = f"imker-{run}.md"
        if "report tried" not in posted or not self._has_file(posted, name):
            self._posted.remember(run, **{"report tried": "1"})
            self._client.files_upload_v2(
                content=written(fleet), filename=name, title=name, channel=posted["channel"], thread_ts=posted["ts"]
            )
            fault("report.posted")
        self._posted.remember(run, report="1")

    def _has_file(self, posted: dict[str, str], name: str) -> bool:
        """Whether an upload whose reply was lost was heard."""
        files = (file for reply in replies(self._client, posted) for file in reply.get("files") or [])
        return any(file.get("name") == name for file in files)
