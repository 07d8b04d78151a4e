"""Says in the channel what must not go unseen, each once: the record's head, which whoever rewrites the record cannot
rewrite, and break-glass.

Of a run, in its thread and in the channel at once: at each acceptance. When a day is over, in the first channel.
"""

import time
from collections.abc import Callable
from typing import Any

from slack_sdk import WebClient

from bot.acceptance import alarms
from bot.kit import Message, private
from bot.posted import Marks
from bot.progress import RunView
from bot.record import DAY
from bot.runs import Runs
from bot.thread import history, own, payload, post, replies
from imker.audit import Audit
from imker.chain import Head
from imker.fault import fault

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
        self._day = ""  # as this reporter last noted it

    def daily(self) -> None:
        """Nothing on the very first day, which is not over. Noted before the first try, looked up before a second."""
        today, kept = _day(self._clock()), self._runs.posted.witnessed()
        day, head = kept.get("day") or self._day or self._unnoted(today), self._audit.head()
        if day != today and head and self._channel:
            tried = "day" not in kept or kept.get("tried") == day
            self._runs.posted.remember_witness(tried=day)
            if not (tried and any(seen.where == _where(day) for seen in heads_in(self._client, self._channel))):
                self._post(self._channel, day_over(day, head), _said(head, day))
                fault("day.posted")
        if kept.get("day") != today:
            self._runs.posted.remember_witness(day=today)
        self._day = today

    def _unnoted(self, today: str) -> str:
        """Return the day to look up where none is noted: yesterday, or today when the record begins today."""
        first = next(self._audit.entries(), None)
        return _day(self._clock() - DAY) if first and _day(first.at) < today else today

    def accepted(self, view: RunView, posted: Marks) -> None:
        """`posted`: the run's message. A head is told when the job that the acceptance led to has begun: the record has

        the decision by then.
        """
        for job, alarm in alarms(view.record):
            self._once(view, posted, f"alarm {job}", alarm)
        for made in view.decisions if view.state != "queued" else ():
            if made.verdict == "accept":
                self._once(view, posted, f"head {made.job}")

    def _once(self, view: RunView, posted: Marks, what: str, alarm: str = "") -> None:
        """Noted before the first try, looked up before a second. Without an `alarm`: the head."""
        run, channel = view.record.run, view.record.channel
        if what in posted or not posted.get("ts") or (head := self._audit.head()) is None:
            return
        if not posted.tried(f"{what} tried") or not self._heard(channel, posted["ts"], what):
            self._runs.posted.remember(run, **{f"{what} tried": "1"})
            message, said = (private(alarm), {}) if alarm else (after_acceptance(head), _said(head, ""))
            in_both = {"thread_ts": posted["ts"], "reply_broadcast": True}
            self._post(channel, message, {"what": what, **said}, **in_both)
            fault("head.posted")
        self._runs.posted.remember(run, **{what: "1"})

    def _heard(self, channel: str, thread: str, what: str) -> bool:
        told = own(self._client, replies(self._client, channel, thread), METADATA)
        return any(said.get("what") == what for _, said in told)

    def _post(self, channel: str, message: Message, said: dict[str, str], **more: Any) -> None:
        post(self._client, channel, message, METADATA, said, **more)


def day_over(day: str, head: Head) -> Message:
    return private(f"📒 {day} (UTC) is over. The record now has {head.seq} entries. {_proof(head)}")


def after_acceptance(head: Head) -> Message:
    return private(f"📒 The record now has {head.seq} entries. {_proof(head)}")


def heads_in(client: WebClient, channel: str) -> list[Head]:
    """The heads that the bot itself posted in a channel, and in its newest threads there."""
    me = client.auth_test()["user_id"]
    posted = [message for message in history(client, channel) if message.get("user") == me]
    parents = [message["ts"] for message in posted if message.get("reply_count")][:THREADS]
    for parent in parents:
        thread = replies(client, channel, parent)
        posted += [one for one in thread if one.get("user") == me and one["ts"] != parent]
    return list(dict.fromkeys(head for message in posted if (head := _told(payload(message, METADATA)))))


def _told(said: dict[str, Any]) -> Head | None:
    seq, digest, day = (str(said.get(name, "")) for name in ("seq", "hash", "day"))
    return Head(int(seq), digest, _where(day)) if seq.isdigit() else None


def _day(at: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(at))


def _where(day: str) -> str:
    return f"the channel after {day}" if day else "the channel"


def _said(head: Head, day: str) -> dict[str, str]:
    return {"seq": str(head.seq), "hash": head.hash, "day": day}


def _proof(head: Head) -> str:
    return f"That nobody changed them since is shown by `python -m bot audit verify --head {head.hash}:{head.seq}`"
