"""A run's one message, its thread's replies and the report's file, each in Slack once: the only writer in channels."""

import hashlib
import json
import time
from collections.abc import Callable

import structlog
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.webhook import WebhookClient

from bot.messages import run_message
from bot.messages.block_kit import Message
from bot.messages.fleet_report import render_report as written
from bot.records import RunRecord
from bot.runs.store import RunStore
from bot.settings import SLACK_API_URL
from bot.slack.errors import error_code, surely_not_posted
from bot.slack.history import edit, history, own_messages, post, replies
from bot.slack.response_url import accepted_url
from bot.state.fleet_state import FleetState, outcome
from bot.state.run_state import RunState
from imker.failpoints import failpoint

log = structlog.get_logger()
MIN_EDIT_INTERVAL = 1.5  # seconds between two edits of one message
LOOKBACK = 3600  # seconds that the bot's clock may be ahead of Slack's
METADATA = "imker_run"
REJECTED_BLOCKS = ("invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long")
TEXT_ONLY = 1000  # characters of either end of a text, which Slack takes whatever is in it


class Publisher:
    """Raises what the client raises; a look later tries again. `clock`: seconds, monotonic; `api_url`: Slack's."""

    def __init__(
        self,
        runs: RunStore,
        client: WebClient,
        clock: Callable[[], float] = time.monotonic,
        api_url: str = SLACK_API_URL,
    ) -> None:
        self._runs = runs
        self._posted_messages = runs.posted_messages
        self._client = client
        self._clock = clock
        self._api_url = api_url
        self._edited: dict[str, float] = {}

    def publish(self, view: RunState, message: Message, finished: bool) -> bool:
        """Whether the message is as it should be. The last state does not wait its turn."""
        run = view.record.run
        digest = hashlib.sha256(json.dumps([message.text, message.blocks]).encode()).hexdigest()
        position = self._posted_messages.get(run)
        if "ts" in position and position.get("digest") == digest:
            return True
        if not finished and self._clock() - self._edited.get(run, 0) < MIN_EDIT_INTERVAL:
            return False
        self._edited[run] = self._clock()
        if "ts" not in position:
            self._post(view, message, finished, digest, tried=position.was_tried("tried"))
        else:
            self._edit(view, message, finished, digest, position["ts"])
        return True

    def _post(self, view: RunState, message: Message, finished: bool, digest: str, *, tried: bool) -> None:
        """Noted before the first try: whoever comes after a failure cannot know whether that try was heard."""
        run, channel = view.record.run, view.record.channel
        ts = self._find_posted(channel, run, view.record.requested_at) if tried else ""
        if ts:  # it was heard, and says what was true then
            self._posted_messages.update(run, ts=ts)
            return self._edit(view, message, finished, digest, ts)
        self._posted_messages.update(run, tried="1")
        failpoint("message.tried")
        try:
            ts = self._send(view, message, finished)
        except SlackApiError as error:
            if surely_not_posted(error):
                self._posted_messages.clear_attempt(run)
            raise
        failpoint("message.posted")
        self._posted_messages.update(run, ts=ts, digest=digest)
        return None

    def _send(self, view: RunState, message: Message, finished: bool) -> str:
        def send(fit: Message) -> str:
            channel, metadata = view.record.channel, metadata_of(view.record, finished)
            return post(self._client, channel, fit, METADATA, metadata, unfurl_links=False)

        return _with_text_fallback(send, message)

    def _find_posted(self, channel: str, run: str, since: float) -> str:
        """A message of this run that was posted although its reply was lost, "" if there is none."""
        told = own_messages(self._client, history(self._client, channel, since - LOOKBACK), METADATA)
        return next((str(candidate["ts"]) for candidate, said in told if said.get("run") == run), "")

    def _edit(self, view: RunState, message: Message, finished: bool, digest: str, ts: str) -> None:
        self._update(ts, view, message, finished)
        failpoint("message.edited")
        self._posted_messages.update(view.record.run, digest=digest)

    def _update(self, ts: str, view: RunState, message: Message, finished: bool) -> None:
        def send(fit: Message) -> str:
            edit(self._client, view.record.channel, ts, fit, METADATA, metadata_of(view.record, finished))
            return ts

        _with_text_fallback(send, message)

    def publish_details(self, view: RunState) -> None:
        """Each once, in the message's thread."""
        position, channel = self._posted_messages.get(view.record.run), view.record.channel
        for key, detail in view.details:
            if f"detail:{key}" in position or not position.get("ts"):
                continue
            if not position.was_tried(f"tried:{key}") or not self._find_reply(channel, position["ts"], key):
                self._posted_messages.update(view.record.run, **{f"tried:{key}": "1"})
                self._reply(channel, position["ts"], key, run_message.thread_detail(detail))
                failpoint("reply.posted")
            self._posted_messages.update(view.record.run, **{f"detail:{key}": "1"})

    def _reply(self, channel: str, thread: str, key: str, message: Message) -> None:
        def send(fit: Message) -> str:
            return post(self._client, channel, fit, METADATA, {"detail": key}, thread_ts=thread)

        _with_text_fallback(send, message)

    def _find_reply(self, channel: str, thread: str, key: str) -> bool:
        """Whether a detail is in the thread although its post's reply was lost."""
        told = own_messages(self._client, replies(self._client, channel, thread), METADATA)
        return any(said.get("detail") == key for _, said in told)

    def notify_requester(self, view: RunState, message: Message, finished: bool) -> None:
        """To the asker alone, where the channel takes no messages: when that is first found out, and at the end."""
        run, when = view.record.run, "end" if finished else "first"
        url, notified = self._runs.response_url(run), self._posted_messages.get(run).get("privately")
        if notified in (when, "end"):
            return
        self._posted_messages.update(run, privately=when)
        failpoint("private.saved")
        log.warning("the channel takes no messages", run=run, channel=view.record.channel, says=message.text)
        if url := accepted_url(url, self._api_url):
            lead = "I may not write into this channel; invite me. The run goes on, and /swarm status shows it.\n"
            WebhookClient(url).send(text=lead + message.text, response_type="ephemeral")

    def publish_run_lost(self, view: RunState, position: dict[str, str]) -> None:
        """Says of a run that Redis has lost that it did. `posted`: where its message stood, if there was one."""
        message = run_message.run_lost_message(metadata_of(view.record, finished=True))
        if position.get("ts"):
            self._update(position["ts"], view, message, True)
        else:
            self._send(view, message, True)

    def upload_report(self, fleet: FleetState) -> None:
        """As a file in the thread, once for each end that it came to."""
        run, channel = fleet.run.record.run, fleet.run.record.channel
        position = self._posted_messages.get(run)
        end = hashlib.sha256(repr(outcome(fleet)).encode()).hexdigest()[:8]
        known = f"report {end}"  # a fleet that goes on after all comes to another end
        if fleet.start is None or known in position or not position.get("ts"):
            return
        before = any(key.startswith("report ") for key in position if key != f"{known} tried")
        name = f"imker-{run}-corrected.md" if before else f"imker-{run}.md"
        if not position.was_tried(f"{known} tried") or not self._has_file(channel, position["ts"], name):
            self._posted_messages.update(run, **{f"{known} tried": "1"})
            self._client.files_upload_v2(
                content=written(fleet), filename=name, title=name, channel=channel, thread_ts=position["ts"]
            )
            failpoint("report.posted")
        self._posted_messages.update(run, **{known: "1"})

    def _has_file(self, channel: str, thread: str, name: str) -> bool:
        """Whether an upload whose reply was lost was heard."""
        me = self._client.auth_test()["user_id"]
        told = (reply for reply in replies(self._client, channel, thread) if reply.get("user") == me)
        files = (file for reply in told for file in reply.get("files") or [])
        return any(file.get("name") == name for file in files)


def metadata_of(record: RunRecord, finished: bool) -> dict[str, str]:
    """What a message says of itself to who comes after Redis was wiped."""
    return {
        "run": record.run,
        "text": record.command_text,
        "asker": record.requester,
        "over": "yes" if finished else "no",
    }


def _with_text_fallback(send: Callable[[Message], str], message: Message) -> str:
    """What Slack takes in no blocks is said in its text alone: a run's end is told, however it looks."""
    try:
        return send(message)
    except SlackApiError as error:
        if error_code(error) not in REJECTED_BLOCKS:
            raise
        log.error("Slack does not take these blocks", error=str(error.response.data), text=message.text)
        text = message.text
        short = text if len(text) <= 2 * TEXT_ONLY else f"{text[:TEXT_ONLY]}\n…\n{text[-TEXT_ONLY:]}"
        return send(Message(short, ()))
