"""Post the watch's messages, each once, and edit them when an incident changes or is resolved.

In: the watch's state, and what was posted of it. Out: messages in the watch's channel, and replies in their threads.
What is resolved before Slack takes the message is not posted.
"""

import hashlib
from collections.abc import Iterator
from functools import partial
from typing import Any

import structlog
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot.messages.block_kit import Message
from bot.messages.watch.incident import abandoned_message, incident_message, leader_message, repeat_message
from bot.reconciler.post_once import post_once
from bot.runs.posted_messages import PostedFields
from bot.runs.store import RunStore
from bot.slack.errors import error_code
from bot.slack.history import edit, history, own_messages, post, replies
from bot.watch.model import LeaderChange, WatchState
from bot.watch.notices import IncidentMessage, Repeat, incident_messages, repeats, thread_of

log = structlog.get_logger()
METADATA = "imker_watch"
MAX_CLOCK_SKEW = 3600  # seconds that the bot's clock may be ahead of Slack's
NOT_EDITABLE = ("message_not_found", "cant_update_message", "edit_window_closed")  # deleted by a person, or too old
OPEN = " open"  # end of the name of a field that says whether the message shows an open incident
SKIPPED = "-"  # in place of the ts of a reply that is not needed


class IncidentMessages:
    """Publish what the watch's state says. `channel`: of the watch, "" for none.

    Raises what the client raises; calling it again is safe.
    """

    def __init__(self, client: WebClient, runs: RunStore, channel: str) -> None:
        self._client = client
        self._runs = runs
        self._messages = runs.posted_messages
        self._channel = channel
        self._published: WatchState | None = None  # the state whose messages are current
        self._remembered: dict[str, str] = {}  # the fields of that state, as Redis may lose them

    def publish(self) -> None:
        """Post and edit what has changed since the last call that succeeded."""
        state = self._runs.watch.state()
        if state is self._published or not self._channel:
            return
        fields = self._messages.watched()
        messages = incident_messages(state)
        for message in messages:
            self._publish_message(message, fields)
        for change in state.leadership.changes:
            self._publish_change(change, thread_of(change, messages), fields)
        self._close_abandoned(messages, fields)
        self._forget(state, messages, fields)
        self._published, self._remembered = state, dict(fields)

    def _publish_message(self, message: IncidentMessage, fields: PostedFields) -> None:
        content = incident_message(message)
        digest_key, digest = f"{message.id} digest", hashlib.sha256(content.text.encode()).hexdigest()
        if fields.get(digest_key) != digest:
            ts, is_new = self._post_or_find(message, content, fields)
            if ts and not is_new:
                self._edit(ts, message.id, content)
            skipped = {repeat.id: SKIPPED for repeat in repeats(message) if is_new}  # the new message says it already
            self._save(fields, **{digest_key: digest, f"{message.id}{OPEN}": "1" if message.is_open else ""}, **skipped)
        for repeat in repeats(message):
            self._publish_repeat(repeat, fields)

    def _post_or_find(self, message: IncidentMessage, content: Message, fields: PostedFields) -> tuple[str, bool]:
        """Return the message's ts, and whether it was posted just now. "" if it is not there and no longer needed."""
        find = partial(self._find, message.id, message.decided_at)
        if message.is_open:
            return post_once(
                fields, partial(self._save, fields), message.id, find, partial(self._send, message.id, content)
            )
        if message.id in fields or not fields.was_tried(f"{message.id} tried"):
            return fields.get(message.id, ""), False
        if ts := find():
            self._save(fields, **{message.id: ts})
        return ts, False

    def _publish_repeat(self, repeat: Repeat, fields: PostedFields) -> None:
        """Reply that incidents are open again, and send the reply to the channel, unless they are resolved by now."""
        thread, is_open = fields.get(repeat.message), any(incident.is_open for incident in repeat.incidents)
        if thread and (is_open or fields.was_tried(f"{repeat.id} tried")):
            self._reply(repeat.id, thread, repeat_message(repeat), fields, reply_broadcast=True)

    def _publish_change(self, change: LeaderChange, message_id: str, fields: PostedFields) -> None:
        """Reply that another manager leads."""
        if thread := fields.get(message_id):
            self._reply(f"leader {int(change.at)}", thread, leader_message(change), fields)

    def _reply(self, name: str, thread: str, content: Message, fields: PostedFields, **more: Any) -> None:
        find = partial(self._find_reply, name, thread)
        send = partial(self._send, name, content, thread_ts=thread, **more)
        post_once(fields, partial(self._save, fields), name, find, send)

    def _send(self, name: str, content: Message, **more: Any) -> str:
        return post(self._client, self._channel, content, METADATA, {"watch": name}, unfurl_links=False, **more)

    def _edit(self, ts: str, name: str, content: Message) -> None:
        """Edit a message. One that a person deleted, or that is too old, stays as it is."""
        try:
            edit(self._client, self._channel, ts, content, METADATA, {"watch": name})
        except SlackApiError as error:
            if error_code(error) not in NOT_EDITABLE:
                raise
            log.warning("could not edit a message of the watch", ts=ts, error=error_code(error))

    def _find(self, name: str, decided_at: float) -> str:
        return self._find_in(history(self._client, self._channel, decided_at - MAX_CLOCK_SKEW), name)

    def _find_reply(self, name: str, thread: str) -> str:
        return self._find_in(replies(self._client, self._channel, thread), name)

    def _find_in(self, messages: Iterator[dict[str, Any]], name: str) -> str:
        """Return the ts of the message with this name, "" if it is not there."""
        matches = own_messages(self._client, messages, METADATA)
        return next((str(message["ts"]) for message, payload in matches if payload.get("watch") == name), "")

    def _save(self, fields: PostedFields, **changed: str) -> None:
        self._messages.update_watched(**changed)
        fields.update(changed)

    def _close_abandoned(self, messages: tuple[IncidentMessage, ...], fields: PostedFields) -> None:
        """Edit open messages whose incidents the state no longer has: the swarm is gone, or Redis lost its data."""
        names, all_fields = {message.id for message in messages}, {**self._remembered, **fields}
        open_names = {field.removesuffix(OPEN) for field, value in all_fields.items() if field.endswith(OPEN) and value}
        for name in sorted(open_names - names):
            if ts := all_fields.get(name):
                self._edit(ts, name, abandoned_message())

    def _forget(self, state: WatchState, messages: tuple[IncidentMessage, ...], fields: PostedFields) -> None:
        """Remove the fields of messages that the state no longer has."""
        names = {message.id for message in messages}
        names |= {f"leader {int(change.at)}" for change in state.leadership.changes}
        old = [field for field in fields if not any(field == name or field.startswith(f"{name} ") for name in names)]
        for field in old:
            del fields[field]
        if old:
            self._messages.forget_watched(*old)
