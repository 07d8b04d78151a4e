"""Render the latest audit log entries as a private table. Pure."""

import time
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from itertools import islice

from bot.messages import tables
from bot.messages.block_kit import Message, context, ephemeral
from bot.messages.escape import escape_code, escape_mrkdwn
from bot.messages.tables import Table
from imker.hash_chain import Entry

ROWS, SEARCH_LIMIT = 30, 20_000  # entries that are shown; entries that are searched for them
HEADER = ("TIME (UTC)", "USER", "EVENT", "RUN", "HOST", "DETAILS")


def filter_entries(entries: Iterable[Entry], subject: str | None, channel: str, hosts: Sequence[str]) -> list[Entry]:
    """Return the latest entries about a host, user, or run, or about anything if `subject` is None.

    `entries`: newest first. Only entries of this channel, or of none, are returned. `hosts`: patterns of the hosts that
    the reader may read about; entries about no single host require "*".
    """
    readable_entries = (entry for entry in islice(entries, SEARCH_LIMIT) if _may_read(entry, channel, hosts))
    return list(islice((entry for entry in readable_entries if not subject or _mentions(entry, subject.lower())), ROWS))


def render_table(entries: list[Entry], subject: str | None) -> Message:
    """Return the table. `entries`: newest first. `subject`: what they are about, None for anything."""
    about = f" about {escape_mrkdwn(subject)}" if subject else ""
    if not entries:
        return ephemeral(f"The audit log has no entries{about} that you may read here.")
    table = Table(HEADER, tuple(map(_row, entries)))
    lead = f"Latest {len(entries)} entries{about}"
    note = f"{lead}, of at least {entries[0].seq} in all. To verify the whole log, run `imker audit verify`."
    return Message(f"{lead}\n```{escape_code(tables.table_text(table))}```", (tables.table_block(table), context(note)))


def _may_read(entry: Entry, channel: str, hosts: Sequence[str]) -> bool:
    host = entry.fact.host
    may_read_host = "*" in hosts or any(host and fnmatchcase(host, pattern) for pattern in hosts)
    return may_read_host and entry.fact.channel in (channel, "")


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
    """Return the details in few words: a digest's first eight characters, and no names of obvious values."""
    details = dict(entry.fact.details)
    job = details.pop("job", "")
    if entry.fact.kind == "changed":
        before, after = (details.get(name, "")[:8] or "none" for name in ("before", "after"))
        return f"{details.get('path', '')}: {before} → {after}"
    words = [
        f"{name} {details[name][:60]}" if name in ("approved", "node") else details[name] for name in sorted(details)
    ]
    return ", ".join(word for word in words if word) + (f" (job {job})" if job not in ("", "1") else "")
