"""Post audit checkpoints and self-approval alerts, each once.

A checkpoint is the audit log's latest hash. Someone who rewrites the audit log in Redis cannot rewrite hashes that
people have seen in Slack. One is posted for each acceptance, in the run's thread and in the channel, and one at the end
of each day in the first channel.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from slack_sdk import WebClient

from bot.messages.block_kit import Message, ephemeral
from bot.messages.runs.approval_card import self_approval_alerts
from bot.reconciler.post_once import post_once, try_once
from bot.records import DAY
from bot.runs.posted_messages import PostedFields
from bot.runs.store import RunStore
from bot.slack.history import history, own_messages, payload_of, post, replies
from bot.state.run_state import RunState
from imker.audit_log import AuditLog
from imker.failpoints import failpoint
from imker.hash_chain import Head

METADATA = "imker_head"
MAX_THREADS = 40  # newest threads to search; Slack allows about this many reads per minute


class AuditCheckpoints:
    """`channel`: the first configured one, "" if there is none; `clock`: UNIX seconds."""

    def __init__(
        self, client: WebClient, audit: AuditLog, runs: RunStore, channel: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._client = client
        self._audit = audit
        self._runs = runs
        self._channel = channel
        self._clock = clock
        self._day = ""  # the current day as last saved; Redis may lose it

    def post_daily(self) -> None:
        """Post the checkpoint of a day that has ended. On the first day of the audit log there is none."""
        today, state = _day(self._clock()), self._runs.posted_messages.checkpoint_state()
        day, head = state.get("day") or self._day or self._unposted_day(today), self._audit.head()
        if day != today and head and self._channel:
            was_tried = state.damaged or "day" not in state or state.get("tried") == day
            try_once(
                was_tried,
                lambda tried: self._runs.posted_messages.update_checkpoint(tried=day if tried else ""),
                lambda: self._find_daily(day),
                lambda: self._send_daily(day, head),
            )
        if state.get("day") != today:
            self._runs.posted_messages.update_checkpoint(day=today)
        self._day = today

    def _unposted_day(self, today: str) -> str:
        """Return the day to look for when none is saved: yesterday, or today if the audit log begins today."""
        first = next(self._audit.entries(), None)
        return _day(self._clock() - DAY) if first and _day(first.recorded_at) < today else today

    def _find_daily(self, day: str) -> str:
        checkpoints = find_checkpoints(self._client, self._channel)
        return next((head.hash for head in checkpoints if head.source == _period(day)), "")

    def _send_daily(self, day: str, head: Head) -> str:
        ts = self._post(self._channel, daily_text(day, head), _payload(head, day))
        failpoint("daily.posted")
        return ts

    def post_for_approvals(self, state: RunState, fields: PostedFields) -> None:
        """Post the alerts and checkpoints of a run. `fields`: what was posted of it.

        A checkpoint waits until the job that the acceptance led to has started: its latest hash covers the decision.
        """
        for job, text in self_approval_alerts(state.record):
            self._post_in_thread(state, fields, f"alarm {job}", ephemeral(text), {})
        for decision in state.decisions if state.status != "queued" else ():
            if decision.choice == "accept" and (head := self._audit.head()):
                self._post_in_thread(state, fields, f"head {decision.job}", approval_text(head), _payload(head, ""))

    def _post_in_thread(
        self, state: RunState, fields: PostedFields, key: str, message: Message, metadata: dict[str, str]
    ) -> None:
        """Post a message in the run's thread and in the channel, once."""
        run, channel, thread = state.record.run, state.record.channel, fields.get("ts")
        if not thread:
            return

        def find() -> str:
            matches = own_messages(self._client, replies(self._client, channel, thread), METADATA)
            return next((str(reply["ts"]) for reply, payload in matches if payload.get("what") == key), "")

        def send() -> str:
            ts = self._post(channel, message, {"what": key, **metadata}, thread_ts=thread, reply_broadcast=True)
            failpoint("checkpoint.posted")
            return ts

        post_once(fields, partial(self._runs.posted_messages.save, run, fields), key, find, send)

    def _post(self, channel: str, message: Message, metadata: dict[str, str], **more: Any) -> str:
        return post(self._client, channel, message, METADATA, metadata, **more)


def daily_text(day: str, head: Head) -> Message:
    """Return the checkpoint message of a day that has ended."""
    return ephemeral(f"📒 End of {day} (UTC): the audit log has {head.seq} entries. {_verify_hint(head)}")


def approval_text(head: Head) -> Message:
    """Return the checkpoint message of an acceptance."""
    return ephemeral(f"📒 The audit log has {head.seq} entries. {_verify_hint(head)}")


def find_checkpoints(client: WebClient, channel: str) -> list[Head]:
    """Return the checkpoints that the bot itself posted in a channel and in its newest threads there."""
    me = client.auth_test()["user_id"]
    bot_messages = [message for message in history(client, channel) if message.get("user") == me]
    parents = [message["ts"] for message in bot_messages if message.get("reply_count")][:MAX_THREADS]
    for parent in parents:
        thread = replies(client, channel, parent)
        bot_messages += [reply for reply in thread if reply.get("user") == me and reply["ts"] != parent]
    heads = (_checkpoint_of(payload_of(message, METADATA)) for message in bot_messages)
    return list(dict.fromkeys(filter(None, heads)))


def _checkpoint_of(metadata: dict[str, Any]) -> Head | None:
    seq, digest, day = (str(metadata.get(name, "")) for name in ("seq", "hash", "day"))
    return Head(int(seq), digest, _period(day)) if seq.isdigit() else None


def _day(at: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(at))


def _period(day: str) -> str:
    return f"the channel after {day}" if day else "the channel"


def _payload(head: Head, day: str) -> dict[str, str]:
    return {"seq": str(head.seq), "hash": head.hash, "day": day}


def _verify_hint(head: Head) -> str:
    return f"To check that no entry has changed, run `imker audit verify --head {head.hash}:{head.seq}`"
