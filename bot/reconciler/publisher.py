"""Publish a run: its message, the replies in its thread, and the report file, each once in Slack."""

import hashlib
import json
import re
import time
from collections.abc import Callable
from functools import partial

import structlog
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.webhook import WebhookClient

from bot.messages.block_kit import Message
from bot.messages.runs import run_message
from bot.messages.runs.fleet_report import add_names, people_of, render_report
from bot.reconciler.post_once import post_once
from bot.reconciler.private_answers import PrivateAnswers, is_private
from bot.reconciler.text_fallback import with_text_fallback
from bot.records import RunRecord
from bot.runs.posted_messages import PostedFields
from bot.runs.store import RunStore
from bot.settings import SLACK_API_URL
from bot.slack import tls
from bot.slack.errors import RATE_LIMITED, error_code
from bot.slack.history import edit, history, own_messages, post, replies
from bot.slack.response_url import accepted_url
from bot.slack.users import user_name
from bot.state.fleet_state import FleetState, outcome
from bot.state.run_state import RunState
from imker.failpoints import failpoint

log = structlog.get_logger()
MIN_EDIT_INTERVAL = 1.5  # seconds between two edits of one message
MAX_CLOCK_SKEW = 3600  # seconds that the bot's clock may be ahead of Slack's
METADATA = "imker_run"
PERMALINK = re.compile(r"https?://[^\s<>|`]+")
NO_ACCESS = "I can't post in this channel. Invite me: `/invite @imker`. The run continues; see `/swarm status`.\n"


class Publisher:
    """Write a run's state to Slack. `clock`: monotonic seconds; `api_url`: Slack's.

    Methods raise what the client raises. Calling them again is safe and continues where the last call stopped.
    """

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
        self._private_answers = PrivateAnswers(runs, client, api_url)
        self._edited_at: dict[str, float] = {}  # by run

    def publish(self, state: RunState, message: Message, is_final: bool, fields: PostedFields) -> bool:
        """Post or edit the run's message. Return False if it is not current yet, because the last edit is too recent.

        A final state does not wait. `fields`: what was posted of the run, here and below; what is posted is added.
        """
        if is_private(state.record, fields):
            return self._private_answers.publish(state, message, is_final, fields)
        run = state.record.run
        digest = hashlib.sha256(json.dumps([message.text, message.blocks]).encode()).hexdigest()
        if "ts" in fields and fields.get("digest") == digest:
            return True
        if not is_final and self._clock() - self._edited_at.get(run, 0) < MIN_EDIT_INTERVAL:
            return False
        self._edited_at[run] = self._clock()
        ts, is_new = post_once(
            fields,
            partial(self._posted_messages.save, run, fields),
            "ts",
            lambda: self._find_message(state.record),
            lambda: self._send(state.record, message, is_final),
        )
        if not is_new:
            self._edit(state.record, ts, message, is_final)
        self._posted_messages.save(run, fields, digest=digest)
        return True

    def save_link(self, record: RunRecord, fields: PostedFields) -> None:
        """Save the permalink of the run's message, once. If Slack refuses it, other messages show the run's ID."""
        ts = fields.get("ts")
        if not ts or "link" in fields:
            return
        try:
            link = str(self._client.chat_getPermalink(channel=record.channel, message_ts=ts).get("permalink"))
        except SlackApiError as error:
            if error.response.status_code == RATE_LIMITED or not error_code(error):
                raise
            log.warning("no permalink", run=record.run, error=error_code(error))
            link = ""
        self._posted_messages.save(record.run, fields, link=link if PERMALINK.fullmatch(link) else "")

    def _find_message(self, record: RunRecord) -> str:
        """Return the ts of this run's message, "" if it is not in the channel."""
        messages = history(self._client, record.channel, record.requested_at - MAX_CLOCK_SKEW)
        matches = own_messages(self._client, messages, METADATA)
        return next((str(message["ts"]) for message, payload in matches if payload.get("run") == record.run), "")

    def _send(self, record: RunRecord, message: Message, is_final: bool) -> str:
        def send(fitting: Message) -> str:
            metadata = metadata_of(record, is_final)
            return post(self._client, record.channel, fitting, METADATA, metadata, unfurl_links=False)

        failpoint("message.tried")
        ts = with_text_fallback(send, message)
        failpoint("message.posted")
        return ts

    def _edit(self, record: RunRecord, ts: str, message: Message, is_final: bool) -> None:
        def send(fitting: Message) -> str:
            edit(self._client, record.channel, ts, fitting, METADATA, metadata_of(record, is_final))
            return ts

        with_text_fallback(send, message)
        failpoint("message.edited")

    def publish_details(self, state: RunState, fields: PostedFields) -> None:
        """Post each detail once in the message's thread."""
        if thread := fields.get("ts"):
            for key, detail in state.details:
                post_once(
                    fields,
                    partial(self._posted_messages.save, state.record.run, fields),
                    f"detail:{key}",
                    partial(self._find_reply, state.record.channel, thread, key),
                    partial(self._reply, state.record.channel, thread, key, run_message.thread_detail(detail)),
                )

    def _reply(self, channel: str, thread: str, key: str, message: Message) -> str:
        def send(fitting: Message) -> str:
            return post(self._client, channel, fitting, METADATA, {"detail": key}, thread_ts=thread)

        ts = with_text_fallback(send, message)
        failpoint("reply.posted")
        return ts

    def _find_reply(self, channel: str, thread: str, key: str) -> str:
        """Return the ts of this detail, "" if it is not in the thread."""
        matches = own_messages(self._client, replies(self._client, channel, thread), METADATA)
        return next((str(message["ts"]) for message, payload in matches if payload.get("detail") == key), "")

    def notify_requester(self, state: RunState, message: Message, is_final: bool, fields: PostedFields) -> None:
        """Tell the requester privately that the channel takes no messages: when this is first found, and at the end.

        Each notice is tried once: there is no way to look up a private message.
        """
        run, notice = state.record.run, "end" if is_final else "first"
        url, last_notice = self._runs.response_url(run), fields.get("privately")
        if last_notice in (notice, "end"):
            return
        self._posted_messages.save(run, fields, privately=notice)
        failpoint("private.saved")
        log.warning("cannot post in the channel", run=run, channel=state.record.channel, text=message.text)
        if url := accepted_url(url, self._api_url):
            WebhookClient(url, ssl=tls.context_for(url)).send(text=NO_ACCESS + message.text, response_type="ephemeral")

    def publish_run_lost(self, state: RunState, fields: dict[str, str]) -> None:
        """Say that Redis has lost this run. `fields`: where its message was, if there was one."""
        message = run_message.run_lost_message(metadata_of(state.record, is_final=True))
        if ts := fields.get("ts"):
            self._edit(state.record, ts, message, True)
        elif state.record.is_private:
            self._private_answers.send(state.record, message)
        else:
            self._send(state.record, message, True)

    def upload_report(self, fleet: FleetState, fields: PostedFields) -> None:
        """Upload the report to the message's thread, once for each outcome.

        A fleet has a second outcome when a host that was reported as lost finishes after all.
        """
        record = fleet.run.record
        thread = fields.get("ts")
        if fleet.start is None or not thread:
            return
        key = f"report {hashlib.sha256(repr(outcome(fleet)).encode()).hexdigest()[:8]}"
        is_correction = any(field.startswith("report ") for field in fields if field not in (key, f"{key} tried"))
        name = f"imker-{record.run}-corrected.md" if is_correction else f"imker-{record.run}.md"
        post_once(
            fields,
            partial(self._posted_messages.save, record.run, fields),
            key,
            lambda: self._find_file(record.channel, thread, name),
            lambda: self._upload(record.channel, thread, name, self._report(fleet)),
        )

    def _report(self, fleet: FleetState) -> str:
        runs = [fleet.run.record.run, *(host.run.record.run for host in fleet.hosts if host.run)]
        names = {user: user_name(self._client, user) for user in people_of(fleet)}
        return add_names(render_report(fleet), names, self._posted_messages.links(runs))

    def _upload(self, channel: str, thread: str, name: str, content: str) -> str:
        self._client.files_upload_v2(content=content, filename=name, title=name, channel=channel, thread_ts=thread)
        failpoint("report.posted")
        return name

    def _find_file(self, channel: str, thread: str, name: str) -> str:
        """Return the file's name if the bot has uploaded it to the thread, else ""."""
        me = self._client.auth_test()["user_id"]
        replies_of_bot = (reply for reply in replies(self._client, channel, thread) if reply.get("user") == me)
        names = (file.get("name") for reply in replies_of_bot for file in reply.get("files") or [])
        return name if name in names else ""


def metadata_of(record: RunRecord, is_final: bool) -> dict[str, str]:
    """Return the message's metadata. A reconciler that starts after Redis was wiped finds the message by it."""
    return {
        "run": record.run,
        "text": record.command_text,
        "asker": record.requester,
        "over": "yes" if is_final else "no",
    }
