"""A run's one message, its thread's replies and the report's file, each in Slack once: the only writer in channels."""

import hashlib
import json
import time
from collections.abc import Callable

import structlog
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.webhook import WebhookClient

from bot import blocks
from bot.fleet import FleetView, conclusion
from bot.kit import Message
from bot.patience import code, untaken
from bot.progress import RunView
from bot.record import RunRecord
from bot.report import report as written
from bot.response_url import accepted
from bot.runs import Runs
from bot.settings import SLACK
from bot.thread import edit, history, own, post, replies
from imker.fault import fault

log = structlog.get_logger()
APART = 1.5  # seconds between two edits of one message
AHEAD = 3600  # seconds that the bot's clock may be ahead of Slack's
METADATA = "imker_run"
UNFIT = ("invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long")
PLAIN = 1000  # characters of either end of a text, which Slack takes whatever is in it


class Messages:
    """Raises what the client raises; a look later tries again. `clock`: seconds, monotonic; `api_url`: Slack's."""

    def __init__(
        self, runs: Runs, client: WebClient, clock: Callable[[], float] = time.monotonic, api_url: str = SLACK
    ) -> None:
        self._runs = runs
        self._posted = runs.posted
        self._client = client
        self._clock = clock
        self._api_url = api_url
        self._edited: dict[str, float] = {}

    def show(self, view: RunView, message: Message, over: bool) -> bool:
        """Whether the message is as it should be. The last state does not wait its turn."""
        run = view.record.run
        digest = hashlib.sha256(json.dumps([message.text, message.blocks]).encode()).hexdigest()
        posted = self._posted.of(run)
        if "ts" in posted and posted.get("digest") == digest:
            return True
        if not over and self._clock() - self._edited.get(run, 0) < APART:
            return False
        self._edited[run] = self._clock()
        if "ts" not in posted:
            self._post(view, message, over, digest, tried=posted.tried("tried"))
        else:
            self._edit(view, message, over, digest, posted["ts"])
        return True

    def _post(self, view: RunView, message: Message, over: bool, digest: str, *, tried: bool) -> None:
        """Noted before the first try: whoever comes after a failure cannot know whether that try was heard."""
        run, channel = view.record.run, view.record.channel
        ts = self._found(channel, run, view.record.asked_at) if tried else ""
        if ts:  # it was heard, and says what was true then
            self._posted.remember(run, ts=ts)
            return self._edit(view, message, over, digest, ts)
        self._posted.remember(run, tried="1")
        fault("message.tried")
        try:
            ts = self._sent(view, message, over)
        except SlackApiError as refused:
            if untaken(refused):
                self._posted.untried(run)
            raise
        fault("message.posted")
        self._posted.remember(run, ts=ts, digest=digest)
        return None

    def _sent(self, view: RunView, message: Message, over: bool) -> str:
        def send(fit: Message) -> str:
            channel, said = view.record.channel, mark(view.record, over)
            return post(self._client, channel, fit, METADATA, said, unfurl_links=False)

        return _fitting(send, message)

    def _found(self, channel: str, run: str, since: float) -> str:
        """A message of this run that was posted although its reply was lost, "" if there is none."""
        told = own(self._client, history(self._client, channel, since - AHEAD), METADATA)
        return next((str(one["ts"]) for one, said in told if said.get("run") == run), "")

    def _edit(self, view: RunView, message: Message, over: bool, digest: str, ts: str) -> None:
        self._update(ts, view, message, over)
        fault("message.edited")
        self._posted.remember(view.record.run, digest=digest)

    def _update(self, ts: str, view: RunView, message: Message, over: bool) -> None:
        def send(fit: Message) -> str:
            edit(self._client, view.record.channel, ts, fit, METADATA, mark(view.record, over))
            return ts

        _fitting(send, message)

    def details(self, view: RunView) -> None:
        """Each once, in the message's thread."""
        posted, channel = self._posted.of(view.record.run), view.record.channel
        for key, shown in view.details:
            if f"detail:{key}" in posted or not posted.get("ts"):
                continue
            if not posted.tried(f"tried:{key}") or not self._heard(channel, posted["ts"], key):
                self._posted.remember(view.record.run, **{f"tried:{key}": "1"})
                self._reply(channel, posted["ts"], key, blocks.detail(shown))
                fault("reply.posted")
            self._posted.remember(view.record.run, **{f"detail:{key}": "1"})

    def _reply(self, channel: str, thread: str, key: str, message: Message) -> None:
        def send(fit: Message) -> str:
            return post(self._client, channel, fit, METADATA, {"detail": key}, thread_ts=thread)

        _fitting(send, message)

    def _heard(self, channel: str, thread: str, key: str) -> bool:
        """Whether a detail is in the thread although its post's reply was lost."""
        told = own(self._client, replies(self._client, channel, thread), METADATA)
        return any(said.get("detail") == key for _, said in told)

    def privately(self, view: RunView, message: Message, over: bool) -> None:
        """To the asker alone, where the channel takes no messages: when that is first found out, and at the end."""
        run, when = view.record.run, "end" if over else "first"
        url, told = self._runs.answer_url(run), self._posted.of(run).get("privately")
        if told in (when, "end"):
            return
        self._posted.remember(run, privately=when)
        fault("private.noted")
        log.warning("the channel takes no messages", run=run, channel=view.record.channel, says=message.text)
        if url := accepted(url, self._api_url):
            lead = "I may not write into this channel; invite me. The run goes on, and /swarm status shows it.\n"
            WebhookClient(url).send(text=lead + message.text, response_type="ephemeral")

    def forgotten(self, view: RunView, posted: dict[str, str]) -> None:
        """Says of a run that Redis has lost that it did. `posted`: where its message stood, if there was one."""
        message = blocks.forgotten(mark(view.record, over=True))
        if posted.get("ts"):
            self._update(posted["ts"], view, message, True)
        else:
            self._sent(view, message, True)

    def report(self, fleet: FleetView) -> None:
        """As a file in the thread, once for each end that it came to."""
        run, channel = fleet.view.record.run, fleet.view.record.channel
        posted = self._posted.of(run)
        end = hashlib.sha256(repr(conclusion(fleet)).encode()).hexdigest()[:8]
        known = f"report {end}"  # a fleet that goes on after all comes to another end
        if fleet.start is None or known in posted or not posted.get("ts"):
            return
        before = any(key.startswith("report ") for key in posted if key != f"{known} tried")
        name = f"imker-{run}-corrected.md" if before else f"imker-{run}.md"
        if not posted.tried(f"{known} tried") or not self._has_file(channel, posted["ts"], name):
            self._posted.remember(run, **{f"{known} tried": "1"})
            self._client.files_upload_v2(
                content=written(fleet), filename=name, title=name, channel=channel, thread_ts=posted["ts"]
            )
            fault("report.posted")
        self._posted.remember(run, **{known: "1"})

    def _has_file(self, channel: str, thread: str, name: str) -> bool:
        """Whether an upload whose reply was lost was heard."""
        me = self._client.auth_test()["user_id"]
        told = (reply for reply in replies(self._client, channel, thread) if reply.get("user") == me)
        files = (file for reply in told for file in reply.get("files") or [])
        return any(file.get("name") == name for file in files)


def mark(record: RunRecord, over: bool) -> dict[str, str]:
    """What a message says of itself to who comes after Redis was wiped."""
    return {"run": record.run, "text": record.text, "asker": record.asker, "over": "yes" if over else "no"}


def _fitting(send: Callable[[Message], str], message: Message) -> str:
    """What Slack takes in no blocks is said in its text alone: a run's end is told, however it looks."""
    try:
        return send(message)
    except SlackApiError as refused:
        if code(refused) not in UNFIT:
            raise
        log.error("Slack does not take these blocks", error=str(refused.response.data), text=message.text)
        text = message.text
        short = text if len(text) <= 2 * PLAIN else f"{text[:PLAIN]}\n…\n{text[-PLAIN:]}"
        return send(Message(short, ()))
