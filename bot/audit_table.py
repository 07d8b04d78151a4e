"""The record's newest entries, as a private table. Pure."""

import time
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from itertools import islice

from bot import tables
from bot.kit import Message, context, private
from bot.tables import Table
from imker.chain import Entry

ROWS, SEARCHED = 30, 20_000  # entries shown; entries looked through for them
HEADER = ("AT (UTC)", "WHO", "WHAT", "RUN", "HOST", "DETAILS")


def about(entries: Iterable[Entry], who: str | None, channel: str, within: Sequence[str]) -> list[Entry]:
    """Return the newest that are about this host, user or run, or about anything. `entries`: newest first.

    As with `/swarm status`: of this channel. `within`: patterns of the hosts that the reader may read of; what is
    about no one host takes "*".
    """
    looked = (entry for entry in islice(entries, SEARCHED) if _readable(entry, channel, within))
    return list(islice((entry for entry in looked if not who or _about(entry, who.lower())), ROWS))


def shown(entries: list[Entry], who: str | None) -> Message:
    if not entries:
        return private(f"The audit log has nothing{f' on {who}' if who else ''} that you may read here.")
    table = Table(HEADER, tuple(map(_row, entries)))
    lead = f"The newest {len(entries)} entries" + (f" on {who}" if who else "")
    lines = (
        f"{lead}, of {entries[0].seq} or more. All of them, and whether they are whole: `python -m bot audit verify`"
    )
    return Message(f"{lead}\n```{tables.text(table)}```", (tables.block(table), context(lines)))


def _readable(entry: Entry, channel: str, within: Sequence[str]) -> bool:
    host = entry.fact.host
    on = "*" in within or any(host and fnmatchcase(host, pattern) for pattern in within)
    return on and entry.fact.channel in (channel, "")


def _about(entry: Entry, name: str) -> bool:
    fact = entry.fact
    node = fact.said.get("node", "")
    named = (fact.who, fact.run, fact.host, *fact.said.get("approved", "").split(", "))
    return name in map(str.lower, named) or (len(name) >= 6 and node.startswith(name))


def _row(entry: Entry) -> tuple[str, ...]:
    fact = entry.fact
    at = time.strftime("%m-%d %H:%M:%S", time.gmtime(entry.at))
    return at, fact.who, fact.what, fact.run, fact.host, _details(entry)


def _details(entry: Entry) -> str:
    """The shortest words that tell it: a digest's first eight characters, and no name of what explains itself."""
    said = dict(entry.fact.said)
    job = said.pop("job", "")
    if entry.fact.what == "changed":
        before, after = (said.get(name, "")[:8] or "none" for name in ("before", "after"))
        return f"{said.get('path', '')}: {before} → {after}"
    words = [f"{name} {said[name][:60]}" if name in ("approved", "node") else said[name] for name in sorted(said)]
    return ", ".join(word for word in words if word) + (f" (job {job})" if job not in ("", "1") else "")
