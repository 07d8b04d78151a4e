"""What people ask, are refused and decide, into the record: before it is done, and once, however often it is delivered.

Of what was not understood, nothing is kept but that: what was typed may be anything, a password too.
People without any right get one entry a minute and kind, with the number of the others: else they could fill Redis.
"""

import time
import uuid
from collections.abc import Callable

from bot.handlers.tally import Tally
from bot.messages.block_kit import Message, Reply
from bot.records import Decision, RunRecord
from imker.audit_log import AuditLog
from imker.hash_chain import AuditFact, EntryKind
from imker.redaction import redact
from imker.text import strip_control, truncate

MAX_TEXT = 160  # characters of a text that is kept


class AuditRecorder:
    """`delivery`: Slack's own ID of what it delivered, the same when it delivers twice; `outsider`: what kind of person

    without any right a user ID is, "" for people with one; `clock`: seconds, monotonic.
    """

    def __init__(
        self,
        audit: AuditLog,
        outsider: Callable[[str], str] = lambda who: "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._audit = audit
        self._outsider = outsider
        self._tally = Tally(clock)

    def command(self, user: str, channel: str, delivery: str, text: str) -> None:
        """A command that starts no run."""
        self._add_counted(f"asked:{delivery}", "asked", user, channel, text=text)

    def run_started(self, record: RunRecord) -> None:
        host = getattr(record.command, "host", "")
        fact_id = f"asked:{record.run}"
        self._add(
            fact_id, "asked", record.requester, record.channel, record.run, host, text=f"/swarm {record.command_text}"
        )

    def decision(self, record: RunRecord, decision: Decision) -> None:
        host, fact_id = (
            getattr(record.command, "host", ""),
            f"decided:{record.run}:{decision.job}:{decision.user}:{decision.choice}",
        )
        details = {"verdict": decision.choice, "job": str(decision.job)}
        self._add(fact_id, "decided", decision.user, record.channel, record.run, host, **details)

    def hold(self, user: str, record: RunRecord, delivery: str, action: str) -> None:
        self._add(f"held:{delivery}", "held", user, record.channel, record.run, verdict=action)

    def run_stopped(self, record: RunRecord, reason: str) -> None:
        """Imker itself stops a run."""
        self._add(
            f"stopped:{record.run}:{record.job_count}",
            "held",
            "",
            record.channel,
            record.run,
            verdict="cancel",
            why=reason,
        )

    def wrap_reply(self, user: str, channel: str, delivery: str, text: str, reply: Reply) -> Reply:
        """The same answer; a refusal is recorded first."""

        def audited_reply(message: Message) -> None:
            if message.refusal:
                details = {"text": text, "answer": message.text} if message.refusal not in ("misuse", "often") else {}
                self._add_counted(f"refused:{delivery}", "refused", user, channel, why=message.refusal, **details)
            reply(message)

        return audited_reply

    def write_counts(self) -> None:
        """Record how many entries were left out, where none follows that would say so."""
        for kind, more in self._tally.pop_finished().items():
            self._add(f"counted:{uuid.uuid4().hex}", "refused", "", "", why="no right", kind=kind, more=more)

    def _add_counted(self, known: str, what: EntryKind, who: str, channel: str, **said: str) -> None:
        """Record it, or count it."""
        kind = self._outsider(who)
        more = self._tally.count(kind, who) if kind else ""
        if more is not None:
            told = {"kind": kind, "more": more}
            self._add(known, what, who, channel, **said, **{name: text for name, text in told.items() if text})

    def _add(
        self,
        fact_id: str,
        entry_kind: EntryKind,
        user: str,
        channel: str,
        run: str = "",
        host: str = "",
        **details: str,
    ) -> None:
        safe_details = {name: truncate(redact(strip_control(text)), MAX_TEXT) for name, text in details.items()}
        self._audit.append(AuditFact(fact_id, entry_kind, user, channel, run, host, safe_details))
