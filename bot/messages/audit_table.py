"""The record's newest entries, as a private table. Pure."""

import time
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from itertools import islice

from bot.messages import tables
from bot.messages.block_kit import Message, context, ephemeral
from bot.messages.tables import Table
from imker.hash_chain import Entry

ROWS, SEARCH_LIMIT = 30, 20_000  # entries shown; entries looked through for them
HEADER = ("AT (UTC)", "WHO", "WHAT", "RUN", "HOST", "DETAILS")


def filter_entries(entries: Iterable[Entry], subject: str | None, channel: str, hosts: Sequence[str]) -> list[Entry]:
    """Return the newest that are about this host, user or run, or about anything. `entries`: newest first.

    As with `/swarm status`: of this channel. `within`: patterns of the hosts that the reader may read of; what is
    about no one host takes "*".
    """
    readable_entries = (entry for entry in islice(entries, SEARCH_LIMIT) if _may_read(entry, channel, hosts))
    return list(islice((entry for entry in readable_entries if not subject or _mentions(entry, subject.lower())), ROWS))


def render_table(entries: list[Entry], user: str | None) -> Message:
    if not entries:
        return ephemeral(f"The audit log has nothing{f' on {user}' if user else ''} that you may read here.")
    table = Table(HEADER, tuple(map(_row, entries)))
    lead = f"The newest {len(entries)} entries" + (f" on {user}" if user else "")
    lines = (
        f"{lead}, of {entries[0].seq} or more. All of them, and whether they are whole: `python -m bot audit verify`"
    )
    return Message(f"{lead}\n```{tables.table_text(table)}```", (tables.table_block(table), context(lines)))


def _may_read(entry: Entry, channel: str, hosts: Sequence[str]) -> bool:
    host = entry.fact.host
    on = "*" in hosts or any(host and fnmatchcase(host, pattern) for pattern in hosts)
    return on and entry.fact.channel in (channel, "")


def _mentions(entry: Entry, name: str) -> bool:
    fact = entry.fact
    node = fact.details.get("node", "")
    subjects = (fact.user, fact.run, fact.host, *fact.details.get("approved", "").split(", "))
    return name in map(str.lower, subjects) or (len(name) >= 6 and node.startswith(name))


def _row(entry: Entry) -> tuple[str, ...]:
    fact = entry.fact
    at = time.strftime("%m-%d %H:%M:%S", time.gmtime(entry.recorded_at))
    return at, fact.user, fact.kind, fact.run, fact.host, _details(entry)


def _details(entry: Entry) -> str:
    """The shortest words that tell it: a digest's first eight characters, and no name of what explains itself."""
    details = dict(entry.fact.details)
    job = details.pop("job", "")
    if entry.fact.kind == "changed":
        before, after = (details.get(name, "")[:8] or "none" for name in ("before", "after"))
        return f"{details.get('path', '')}: {before} → {after}"
    words = [
        f"{name} {details[name][:60]}" if name in ("approved", "node") else details[name] for name in sorted(details)
    ]
    return ", ".join(word for word in words if word) + (f" (job {job})" if job not in ("", "1") else "")
