"""Posts the record's head where everybody sees it: whoever rewrites the record cannot rewrite what people have read.

After each acceptance in its run's thread; and when a day is over, once, in the first channel.
"""

import time
from collections.abc import Callable
from typing import Any

from slack_sdk import WebClient

from bot.kit import Message, private
from bot.progress import RunView
from bot.runs import Runs
from bot.thread import history, payload, post, replies
from imker.audit import Audit
from imker.chain import Head
from imker.fault import fault
from jobs.contract import Accept

METADATA = "imker_head"
THREADS = 40  # the newest, which Slack lets be read within a minute


class Witness:
    """`channel`: the first configured one, "" for none; `clock`: UNIX seconds."""

    def __init__(
        self, client: WebClient, audit: Audit, runs: Runs, channel: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._client = client
        self._audit = audit
        self._runs = runs
        self._channel = channel
        self._clock = clock

    def daily(self) -> None:
        """Nothing on the very first day, which is not over. Noted before the first try, looked up before a second."""
        today, kept = time.strftime("%Y-%m-%d", time.gmtime(self._clock())), self._runs.posted.witnessed()
        day, head = kept.get("day", today), self._audit.head()
        if day != today and head and self._channel:
            tried = kept.get("tried") == day
            self._runs.posted.remember_witness(tried=day)
            if not (tried and any(seen.where == _where(day) for seen in heads_in(self._client, self._channel))):
                self._post(self._channel, "", day_over(day, head), head, day)
                fault("day.posted")
        if kept.get("day") != today:
            self._runs.posted.remember_witness(day=today)

    def accepted(self, view: RunView, posted: dict[str, str]) -> None:
        """`posted`: the run's message. Once, when what was accepted is done; looked up before a second try."""
        head, run = self._audit.head(), view.record.run
        if head and is_acceptance(view) and posted.get("ts") and "head" not in posted:
            if "head tried" not in posted or not any(payload(one, METADATA) for one in replies(self._client, posted)):
                self._runs.posted.remember(run, **{"head tried": "1"})
                self._post(posted["channel"], posted["ts"], after_acceptance(head), head, "")
                fault("head.posted")
            self._runs.posted.remember(run, head=str(head.seq))

    def _post(self, channel: str, thread: str, message: Message, head: Head, day: str) -> None:
        said = {"seq": str(head.seq), "hash": head.hash, "day": day}
        post(self._client, channel, message, METADATA, said, thread_ts=thread or None)


def is_acceptance(view: RunView) -> bool:
    accepted = any(decision.verdict == "accept" for decision in view.decisions)
    return accepted or isinstance(view.record.command, Accept)


def day_over(day: str, head: Head) -> Message:
    return private(f"📒 At the end of {day} the record had {head.seq} entries. {_proof(head)}")


def after_acceptance(head: Head) -> Message:
    return private(f"📒 The record now has {head.seq} entries. {_proof(head)}")


def heads_in(client: WebClient, channel: str) -> list[Head]:
    """The heads that the bot itself posted in a channel, and in its newest threads there."""
    me = client.auth_test()["user_id"]
    posted = [message for message in history(client, channel) if message.get("user") == me]
    parents = [message["ts"] for message in posted if message.get("reply_count")][:THREADS]
    for parent in parents:
        thread = replies(client, {"channel": channel, "ts": parent})
        posted += [one for one in thread if one.get("user") == me and one["ts"] != parent]
    return [head for message in posted if (head := _told(payload(message, METADATA)))]


def _told(said: dict[str, Any]) -> Head | None:
    seq, digest, day = (str(said.get(name, "")) for name in ("seq", "hash", "day"))
    return Head(int(seq), digest, _where(day)) if seq.isdigit() else None


def _where(day: str) -> str:
    return f"the channel at the end of {day}" if day else "the channel"


def _proof(head: Head) -> str:
    return f"That nobody changed them since is shown by `python -m bot audit verify --head {head.hash}:{head.seq}`"
