"""What people ask, are refused and decide, into the record: before it is done, and once, however often it is delivered.

Of what was not understood, nothing is kept but that: what was typed may be anything, a password too.
People without any right get one entry a minute and kind, with the number of the others: else they could fill Redis.
"""

import time
import uuid
from collections.abc import Callable

from bot.escape import cut, plain
from bot.kit import Answer, Message
from bot.record import Decision, RunRecord
from bot.tally import Tally
from imker.audit import Audit
from imker.chain import Fact, What
from imker.redaction import redacted

LONGEST = 160  # characters of a text that is kept


class Minutes:
    """`delivery`: Slack's own ID of what it delivered, the same when it delivers twice; `outsider`: what kind of person

    without any right a user ID is, "" for people with one; `clock`: seconds, monotonic.
    """

    def __init__(
        self,
        audit: Audit,
        outsider: Callable[[str], str] = lambda who: "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._audit = audit
        self._outsider = outsider
        self._tally = Tally(clock)

    def asked(self, who: str, channel: str, delivery: str, text: str) -> None:
        """A command that starts no run."""
        self._say(f"asked:{delivery}", "asked", who, channel, text=text)

    def started(self, record: RunRecord) -> None:
        host = getattr(record.command, "host", "")
        known = f"asked:{record.run}"
        self._add(known, "asked", record.asker, record.channel, record.run, host, text=f"/swarm {record.text}")

    def decided(self, record: RunRecord, decision: Decision) -> None:
        host, known = (
            getattr(record.command, "host", ""),
            f"decided:{record.run}:{decision.job}:{decision.by}:{decision.verdict}",
        )
        said = {"verdict": decision.verdict, "job": str(decision.job)}
        self._add(known, "decided", decision.by, record.channel, record.run, host, **said)

    def held(self, who: str, record: RunRecord, delivery: str, what: str) -> None:
        self._add(f"held:{delivery}", "held", who, record.channel, record.run, verdict=what)

    def stopped(self, record: RunRecord, why: str) -> None:
        """Imker itself stops a run."""
        self._add(
            f"stopped:{record.run}:{record.jobs}", "held", "", record.channel, record.run, verdict="cancel", why=why
        )

    def heard(self, who: str, channel: str, delivery: str, text: str, answer: Answer) -> Answer:
        """The same answer; a refusal is recorded first."""

        def told(message: Message) -> None:
            if message.refusal:
                said = {"text": text, "answer": message.text} if message.refusal not in ("misuse", "often") else {}
                self._say(f"refused:{delivery}", "refused", who, channel, why=message.refusal, **said)
            answer(message)

        return told

    def write_counts(self) -> None:
        """Record how many entries were left out, where none follows that would say so."""
        for kind, more in self._tally.quiet().items():
            self._add(f"counted:{uuid.uuid4().hex}", "refused", "", "", why="no right", kind=kind, more=more)

    def _say(self, known: str, what: What, who: str, channel: str, **said: str) -> None:
        """Record it, or count it."""
        kind = self._outsider(who)
        more = self._tally.count(kind, who) if kind else ""
        if more is not None:
            told = {"kind": kind, "more": more}
            self._add(known, what, who, channel, **said, **{name: text for name, text in told.items() if text})

    def _add(self, known: str, what: What, who: str, channel: str, run: str = "", host: str = "", **said: str) -> None:
        kept = {name: cut(redacted(plain(text)), LONGEST) for name, text in said.items()}
        self._audit.append(Fact(known, what, who, channel, run, host, kept))
