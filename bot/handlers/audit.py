"""Write commands, refusals and decisions to the audit log, before they take effect and once per delivery.

Of a command that could not be parsed, the text is not written: it may be anything, even a password. A user without any
right gets one entry per minute and kind, which counts the others. Otherwise they could fill Redis.
"""

import time
import uuid
from collections.abc import Callable

import structlog

from bot.handlers.tally import Tally
from bot.messages.block_kit import Message, Reply
from bot.records import Decision, RunRecord
from imker.audit_log import AuditLog
from imker.hash_chain import AuditFact, EntryKind
from imker.redaction import redact
from imker.text import strip_control, truncate

log = structlog.get_logger()
# What the log calls an entry.
LOG_TEXTS: dict[EntryKind, str] = {
    "asked": "command received", "refused": "command refused", "decided": "decision recorded", "held": "run held",
}  # fmt: skip
MAX_TEXT = 160  # characters of a text in an entry
WITHOUT_TEXT = ("misuse", "often")  # refusals of which neither the command nor the reply is written


class AuditRecorder:
    """Build the bot's audit entries. Every method raises AuditLogBroken and RedisError.

    `outsider_kind`: returns the kind of a user who has no right at all, "" for other users. `clock`: monotonic seconds.
    `delivery` in the methods: Slack's ID of the delivery, the same if it delivers twice.
    """

    def __init__(
        self,
        audit: AuditLog,
        outsider_kind: Callable[[str], str] = lambda user: "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._audit = audit
        self._outsider_kind = outsider_kind
        self._tally = Tally(clock)

    def command(self, user: str, channel: str, delivery: str, text: str) -> None:
        """Record a command that starts no run."""
        self._add_counted(f"asked:{delivery}", "asked", user, channel, text=text)

    def run_started(self, record: RunRecord) -> None:
        """Record the command that starts this run."""
        text = f"/swarm {record.command_text}"
        self._add_of_run(f"asked:{record.run}", "asked", record.requester, record, text=text)

    def decision(self, record: RunRecord, decision: Decision) -> None:
        """Record a decision on the run."""
        fact_id = f"decided:{record.run}:{decision.job}:{decision.user}:{decision.choice}"
        why = {"why": decision.why} if decision.why else {}
        details = {"verdict": decision.choice, "job": str(decision.job), **why}
        self._add_of_run(fact_id, "decided", decision.user, record, **details)

    def hold(self, user: str, record: RunRecord, delivery: str, action: str) -> None:
        """Record that the user pauses, resumes or cancels the run."""
        self._add(f"held:{delivery}", "held", user, record.channel, record.run, verdict=action)

    def run_stopped(self, record: RunRecord, reason: str) -> None:
        """Record that Imker itself stops the run."""
        fact_id = f"stopped:{record.run}:{record.job_count}"
        self._add(fact_id, "held", "", record.channel, record.run, verdict="cancel", why=reason)

    def wrap_reply(self, user: str, channel: str, delivery: str, text: str, reply: Reply) -> Reply:
        """Return the same reply, which first records the message if it is a refusal."""

        def audited_reply(message: Message) -> None:
            if message.refusal:
                details = {} if message.refusal in WITHOUT_TEXT else {"text": text, "answer": message.text}
                self._add_counted(f"refused:{delivery}", "refused", user, channel, why=message.refusal, **details)
            reply(message)

        return audited_reply

    def write_counts(self) -> None:
        """Write the counts that no further entry has included for two minutes."""
        for kind, count in self._tally.pop_finished().items():
            self._add(f"counted:{uuid.uuid4().hex}", "refused", "", "", why="no right", kind=kind, more=count)

    def _add_counted(self, fact_id: str, entry_kind: EntryKind, user: str, channel: str, **details: str) -> None:
        """Write the entry. Of users without any right, write one per minute and count the others."""
        outsider_kind = self._outsider_kind(user)
        count = self._tally.count(outsider_kind, user) if outsider_kind else ""
        if count is None:
            return
        counted = {name: text for name, text in (("kind", outsider_kind), ("more", count)) if text}
        self._add(fact_id, entry_kind, user, channel, **details, **counted)

    def _add_of_run(self, fact_id: str, entry_kind: EntryKind, user: str, record: RunRecord, **details: str) -> None:
        host = getattr(record.command, "host", "")
        self._add(fact_id, entry_kind, user, record.channel, record.run, host, **details)

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
        """Append the entry, with control characters and secrets removed from its details. Repeating it adds nothing."""
        safe_details = {name: truncate(redact(strip_control(text)), MAX_TEXT) for name, text in details.items()}
        where = {name: value for name, value in (("run", run), ("host", host), ("channel", channel)) if value}
        log.info(LOG_TEXTS.get(entry_kind, entry_kind), user=user, **where, **safe_details)
        self._audit.append(AuditFact(fact_id, entry_kind, user, channel, run, host, safe_details))
