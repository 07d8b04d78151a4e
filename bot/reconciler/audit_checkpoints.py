"""Says in the channel what must not go unseen, each once: the record's head, which whoever rewrites the record cannot
rewrite, and break-glass.

Of a run, in its thread and in the channel at once: at each acceptance. When a day is over, in the first channel.
"""

import time
from collections.abc import Callable
from typing import Any

from slack_sdk import WebClient

from bot.messages.approval_card import self_approval_alerts
from bot.messages.block_kit import Message, ephemeral
from bot.records import DAY
from bot.runs.posted_messages import PostedFields
from bot.runs.store import RunStore
from bot.slack.history import history, own_messages, payload_of, post, replies
from bot.state.run_state import RunState
from imker.audit_log import AuditLog
from imker.failpoints import failpoint
from imker.hash_chain import Head

METADATA = "imker_head"
MAX_THREADS = 40  # the newest, which Slack lets be read within a minute


class AuditCheckpoints:
    """`channel`: the first configured one, "" for none; `clock`: UNIX seconds."""

    def __init__(
        self, client: WebClient, audit: AuditLog, runs: RunStore, channel: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._client = client
        self._audit = audit
        self._runs = runs
        self._channel = channel
        self._clock = clock
        self._day = ""  # as this reconciler last noted it

    def post_daily(self) -> None:
        """Nothing on the very first day, which is not over. Noted before the first try, looked up before a second."""
        today, state = _day(self._clock()), self._runs.posted_messages.checkpoint_state()
        day, head = state.get("day") or self._day or self._unposted_day(today), self._audit.head()
        if day != today and head and self._channel:
            tried = "day" not in state or state.get("tried") == day
            self._runs.posted_messages.update_checkpoint(tried=day)
            if not (
                tried
                and any(
                    checkpoint.source == _period(day) for checkpoint in find_checkpoints(self._client, self._channel)
                )
            ):
                self._post(self._channel, daily_text(day, head), _payload(head, day))
                failpoint("daily.posted")
        if state.get("day") != today:
            self._runs.posted_messages.update_checkpoint(day=today)
        self._day = today

    def _unposted_day(self, today: str) -> str:
        """Return the day to look up where none is noted: yesterday, or today when the record begins today."""
        first = next(self._audit.entries(), None)
        return _day(self._clock() - DAY) if first and _day(first.recorded_at) < today else today

    def post_for_approvals(self, view: RunState, position: PostedFields) -> None:
        """`posted`: the run's message. A head is told when the job that the acceptance led to has begun: the record has

        the decision by then.
        """
        for job, alarm in self_approval_alerts(view.record):
            self._post_reply_once(view, position, f"alarm {job}", alarm)
        for decision in view.decisions if view.status != "queued" else ():
            if decision.choice == "accept":
                self._post_reply_once(view, position, f"head {decision.job}")

    def _post_reply_once(self, view: RunState, position: PostedFields, marker: str, alarm: str = "") -> None:
        """Noted before the first try, looked up before a second. Without an `alarm`: the head."""
        run, channel = view.record.run, view.record.channel
        if marker in position or not position.get("ts") or (head := self._audit.head()) is None:
            return
        if not position.was_tried(f"{marker} tried") or not self._is_posted(channel, position["ts"], marker):
            self._runs.posted_messages.update(run, **{f"{marker} tried": "1"})
            message, metadata = (ephemeral(alarm), {}) if alarm else (approval_text(head), _payload(head, ""))
            in_both = {"thread_ts": position["ts"], "reply_broadcast": True}
            self._post(channel, message, {"what": marker, **metadata}, **in_both)
            failpoint("checkpoint.posted")
        self._runs.posted_messages.update(run, **{marker: "1"})

    def _is_posted(self, channel: str, thread: str, marker: str) -> bool:
        told = own_messages(self._client, replies(self._client, channel, thread), METADATA)
        return any(said.get("what") == marker for _, said in told)

    def _post(self, channel: str, message: Message, metadata: dict[str, str], **more: Any) -> None:
        post(self._client, channel, message, METADATA, metadata, **more)


def daily_text(day: str, head: Head) -> Message:
    return ephemeral(f"📒 {day} (UTC) is over. The record now has {head.seq} entries. {_verify_hint(head)}")


def approval_text(head: Head) -> Message:
    return ephemeral(f"📒 The record now has {head.seq} entries. {_verify_hint(head)}")


def find_checkpoints(client: WebClient, channel: str) -> list[Head]:
    """The heads that the bot itself posted in a channel, and in its newest threads there."""
    me = client.auth_test()["user_id"]
    own_messages = [message for message in history(client, channel) if message.get("user") == me]
    parents = [message["ts"] for message in own_messages if message.get("reply_count")][:MAX_THREADS]
    for parent in parents:
        thread = replies(client, channel, parent)
        own_messages += [reply for reply in thread if reply.get("user") == me and reply["ts"] != parent]
    return list(
        dict.fromkeys(head for message in own_messages if (head := _checkpoint_of(payload_of(message, METADATA))))
    )


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
    return f"That nobody changed them since is shown by `python -m bot audit verify --head {head.hash}:{head.seq}`"
